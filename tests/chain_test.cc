// A chain is the calls that it stands for, bit for bit: however rows are cut into blocks, whatever is kept.
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "support/int8.h"

namespace idelta_test {
namespace {

constexpr idelta_format kFormats[] = {IDELTA_FORMAT_F32,      IDELTA_FORMAT_LOW_RANK, IDELTA_FORMAT_INT8,
                                      IDELTA_FORMAT_LOW_RANK, IDELTA_FORMAT_BF16,     IDELTA_FORMAT_F32};
constexpr idelta_activation kActivations[] = {
    {IDELTA_ACTIVATION_RELU, 0}, {IDELTA_ACTIVATION_HARD_TANH, 0},       {IDELTA_ACTIVATION_IDENTITY, 0},
    {IDELTA_ACTIVATION_TANH, 0}, {IDELTA_ACTIVATION_LEAKY_RELU, 0.125f}, {IDELTA_ACTIVATION_IDENTITY, 0}};
constexpr size_t kLayers = std::size(kFormats);

// Deltas of all formats and what their layers give, of m rows of n.
struct Network {
  int64_t m, n;
  Matrix x, first_bias;
  std::vector<DeltaPtr> packed;
  std::vector<const idelta_delta*> deltas;
  std::vector<Matrix> y, contribution, row_error, row_norm;

  Network(const ContextPtr& context, int64_t rows, int64_t width)
      : m(rows), n(width), x(m, n, n + 3), first_bias(1, n) {
    Random random(static_cast<uint64_t>(n));
    fill_special_rows(x, random);
    fill_uniform(first_bias, random);
    for (size_t l = 0; l < kLayers; ++l) {
      const Matrix D = trained(n, l + 1);
      idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
      options.format = kFormats[l];
      options.identity_scale = l == 2 ? 0.5f : 1.0f;
      if (options.format == IDELTA_FORMAT_LOW_RANK) options.rank = (n + 3) / 4;
      if (l == 3) options.tail = IDELTA_TAIL_INT8;
      packed.push_back(pack(context, D, options));
      deltas.push_back(packed.back().get());
      y.emplace_back(m, n, n + static_cast<int64_t>(l)), contribution.emplace_back(m, n);
      row_error.emplace_back(1, m), row_norm.emplace_back(1, m);
    }
  }

  // Of each layer; what is kept depends on the layer, or is everything.
  std::vector<idelta_forward_args> args(bool everything) const {
    std::vector<idelta_forward_args> all;
    for (size_t l = 0; l < kLayers; ++l) {
      idelta_forward_args& a = all.emplace_back(idelta_forward_args IDELTA_FORWARD_ARGS_INIT);
      a.activation = kActivations[l];
      if (l == 0) a.m = m, a.x = x.data(), a.ldx = x.ld(), a.bias = first_bias.data();
      if (everything || l % 3 == 2) a.y = y[l].data(), a.ldy = y[l].ld();
      if (everything || l == 4) a.contribution = contribution[l].data(), a.ldc = n;
      if (everything || l == 1) a.row_error = row_error[l].data();
      if (everything || l == 3) a.row_norm = row_norm[l].data();
    }
    return all;
  }

  // Of what `args` ask for.
  Bits results(const std::vector<idelta_forward_args>& args) const {
    Bits bits;
    for (size_t l = 0; l < kLayers; ++l) {
      const std::string layer = " of layer " + std::to_string(l + 1);
      if (args[l].y) bits["y" + layer] = y[l].element_bits();
      if (args[l].contribution) bits["contribution" + layer] = contribution[l].element_bits();
      if (args[l].row_error) bits["row_error" + layer] = row_error[l].element_bits();
      if (args[l].row_norm) bits["row_norm" + layer] = row_norm[l].element_bits();
    }
    return bits;
  }

  Bits by_single_calls(const ContextPtr& context) const {
    const std::vector<idelta_forward_args> all = args(true);
    for (size_t l = 0; l < kLayers; ++l) {
      idelta_forward_args a = all[l];
      a.m = m;
      a.x = l == 0 ? x.data() : y[l - 1].data(), a.ldx = l == 0 ? x.ld() : y[l - 1].ld();
      EXPECT_OK(idelta_forward(context.get(), deltas[l], &a));
    }
    return results(all);
  }
  void forget() const {
    for (size_t l = 0; l < kLayers; ++l) {
      for (const Matrix* out : {&y[l], &contribution[l], &row_error[l], &row_norm[l]}) {
        fill(*out, [] { return -77.0f; });
      }
    }
  }
};

class Chain : public ContextTest {
 protected:
  idelta_status call(const ContextPtr& of, const Network& network, const std::vector<idelta_forward_args>& args) const {
    return idelta_chain_forward(of.get(), static_cast<int64_t>(kLayers), network.deltas.data(), args.data());
  }
  void expect_refused(const Network& network, const std::vector<idelta_forward_args>& args, const char* words) const {
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, call(context, network, args));
    EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find(words)) << idelta_last_error();
  }
};

TEST_F(Chain, IsTheCallsThatItStandsFor) {
  for (const char* caches : {"", kToyCaches, "32768,100000,1000000"}) {
    const ScopedEnvironment environment("IDELTA_CACHES", caches);
    for (const int32_t threads : {1, 3}) {
      const ContextPtr own = make_context(context_options(forced_isa(), threads));
      for (const int64_t n : {int64_t{1}, int64_t{33}, int64_t{100}}) {
        for (const int64_t m : {int64_t{1}, int64_t{13}, int64_t{300}, int64_t{reduced() ? 301 : 1000}}) {
          SCOPED_TRACE("n " + std::to_string(n) + " m " + std::to_string(m) + " threads " + std::to_string(threads));
          const Network network(own, m, n);
          const Bits expected = without_nan_payloads(network.by_single_calls(own));
          for (const bool everything : {true, false}) {
            network.forget();
            const std::vector<idelta_forward_args> args = network.args(everything);
            ASSERT_OK(call(own, network, args));
            for (const auto& [name, bits] : without_nan_payloads(network.results(args))) {
              ASSERT_EQ(expected.at(name), bits) << name;
            }
            EXPECT_TRUE(network.y.back().surroundings_untouched());
          }
        }
      }
    }
  }
}

TEST_F(Chain, OutputsMayBeXOrEachOther) {
  const Network network(context, 200, 50);
  const std::vector<uint32_t> expected = without_nan_payloads(network.by_single_calls(context)).at("y of layer 6");
  std::vector<idelta_forward_args> args(kLayers, idelta_forward_args IDELTA_FORWARD_ARGS_INIT);
  const Matrix in_place = network.x.copy();
  for (size_t l = 0; l < kLayers; ++l) args[l].activation = kActivations[l];
  args[0].m = network.m, args[0].x = in_place.data(), args[0].ldx = in_place.ld(),
  args[0].bias = network.first_bias.data();
  for (const size_t l : {size_t{0}, size_t{3}, kLayers - 1}) args[l].y = in_place.data(), args[l].ldy = in_place.ld();
  ASSERT_OK(call(context, network, args));
  EXPECT_EQ(expected, without_nan_payloads({{"y", in_place.element_bits()}}).at("y"));
}

TEST_F(Chain, ExactlyTheQueriedWorkspaceIsEnough) {
  for (const char* caches : {"", kToyCaches}) {
    const ScopedEnvironment environment("IDELTA_CACHES", caches);
    for (const int32_t threads : {1, 3}) {
      const ContextPtr own = make_context(context_options(forced_isa(), threads));
      for (const int64_t m : {1, 77, 500}) {
        const Network network(own, m, 40);
        const Bits expected = without_nan_payloads(network.by_single_calls(own));
        std::vector<idelta_forward_args> args = network.args(false);
        size_t bytes = 0;
        ASSERT_OK(idelta_chain_forward_workspace_bytes(own.get(), kLayers, network.deltas.data(), m, &bytes));
        const GuardBuffer workspace(bytes, Flush::kRight, 64);
        args[0].workspace = workspace.data(), args[0].workspace_bytes = bytes;
        network.forget();
        ASSERT_OK(call(own, network, args));
        EXPECT_TRUE(workspace.slack_untouched());
        EXPECT_EQ(expected.at("y of layer 6"), without_nan_payloads(network.results(args)).at("y of layer 6"));
        args[0].workspace_bytes = bytes - 64;
        EXPECT_EQ(IDELTA_INVALID_ARGUMENT, call(own, network, args));
      }
    }
  }
}

// idelta_forward_args of 0.1 end before row_error.
TEST_F(Chain, ArgsOfAnOlderCallerLieCloserTogether) {
  const Network network(context, 20, 30);
  const Bits expected = without_nan_payloads(network.by_single_calls(context));
  network.forget();
  std::vector<idelta_forward_args> args = network.args(false);
  constexpr size_t size = offsetof(idelta_forward_args, row_error);
  std::vector<idelta_forward_args> closer(kLayers);
  for (size_t l = 0; l < kLayers; ++l) {
    args[l].struct_size = size;
    std::memcpy(reinterpret_cast<char*>(closer.data()) + l * size, &args[l], size);
    args[l].row_error = args[l].row_norm = nullptr;
  }
  ASSERT_OK(call(context, network, closer));
  for (const auto& [name, bits] : without_nan_payloads(network.results(args)))
    EXPECT_EQ(expected.at(name), bits) << name;
}

TEST_F(Chain, NoRowsAreNoWork) {
  Network network(context, 1, 8);
  std::vector<idelta_forward_args> args = network.args(false);
  args[0].m = 0, args[0].x = nullptr;
  args.back().y = nullptr;
  EXPECT_OK(call(context, network, args));
  size_t bytes = 1;
  EXPECT_OK(idelta_chain_forward_workspace_bytes(context.get(), kLayers, network.deltas.data(), 0, &bytes));
  EXPECT_EQ(0u, bytes);
}

TEST_F(Chain, RefusalsNameTheLayer) {
  Network network(context, 4, 8), wider(context, 4, 9);
  const std::vector<idelta_forward_args> good = network.args(true);
  const auto changed = [&](size_t l, const auto& change) {
    std::vector<idelta_forward_args> args = good;
    change(args[l]);
    return args;
  };
  using Args = idelta_forward_args;
  expect_refused(network, changed(5, [](Args& a) { a.y = nullptr; }), "layer 6: y is null");
  expect_refused(network, changed(0, [](Args& a) { a.x = nullptr; }), "x is null");
  expect_refused(network, changed(0, [](Args& a) { a.m = -1; }), "m = -1");
  expect_refused(network, changed(3, [](Args& a) { a.ldy = 7; }), "layer 4: ldy = 7");
  expect_refused(network, changed(3, [](Args& a) { a.contribution = a.y; }), "layer 4: contribution overlaps");
  expect_refused(network, changed(3, [](Args& a) { a.row_error = a.row_norm; }), "layer 4: row_norm is row_error");
  expect_refused(network, changed(4, [](Args& a) { a.activation.slope = 2; }), "layer 5: activation.slope = 2");
  expect_refused(network, changed(2, [](Args& a) { a.struct_size = 96; }), "layer 3: struct_size = 96");
  expect_refused(network, changed(0, [](Args& a) { a.struct_size = 97; }), "struct_size = 97");
  expect_refused(network, changed(2, [&](Args& a) { a.y = const_cast<float*>(network.x.data()), a.ldy = 8; }),
                 "layer 3: y is x, but their row strides differ: 8 and 11");
  expect_refused(network, changed(2, [&](Args& a) { a.y = network.y[1].data(), a.ldy = 8; }),
                 "layer 3: y is the output of the layer before");
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_chain_forward(context.get(), 0, network.deltas.data(), good.data()));
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_chain_forward(context.get(), 6, nullptr, good.data()));
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_chain_forward(context.get(), 6, network.deltas.data(), nullptr));
  network.deltas[1] = wider.deltas[1];
  expect_refused(network, good, "layer 2: n = 9, but that of layer 1 is 8");
  network.deltas[1] = nullptr;
  expect_refused(network, good, "layer 2: delta is null");
}

}  // namespace
}  // namespace idelta_test
