// One context and its deltas, used by 16 threads at once, as a server would: every call gives the bits that it gives
// when nobody else calls.
#include <barrier>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/low_rank.h"
#include "support/runs.h"

namespace idelta_test {
namespace {

constexpr int kThreads = 16;

struct Shared {
  std::string name;
  DeltaPtr delta;
};

// Of every format, packed by `context`.
std::vector<Shared> deltas_of(const ContextPtr& context, const Matrix& D) {
  std::vector<Shared> all;
  for (const idelta_format format : idelta::kinds_of(idelta_format_names(), idelta_format_by_name)) {
    idelta_delta_options options = low_rank_options(format == IDELTA_FORMAT_LOW_RANK ? D.cols() / 4 : 0);
    options.format = format;
    all.push_back({idelta_format_name(format), pack(context, D, options)});
    if (format != IDELTA_FORMAT_LOW_RANK) continue;
    options.tail = IDELTA_TAIL_INT8;
    all.push_back({"low_rank with tail", pack(context, D, options)});
  }
  return all;
}

// What one thread does, in memory of its own.
class User {
 public:
  User(int64_t m, int64_t n) : m_(m), n_(n) {
    Random random(3);
    fill_uniform(x_, random), fill_uniform(bias_, random);
  }

  // From the delta of number `first` on, so that threads meet in other places.
  Bits use(const ContextPtr& context, const std::vector<Shared>& deltas, const Matrix& D, size_t first) {
    for (size_t i = 0; i < deltas.size(); ++i) use_delta(context, deltas[(first + i) % deltas.size()]);
    for (const idelta_format format : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16X3, IDELTA_FORMAT_BF16}) {
      idelta_backward_weights_args args = backward_weights_args(x_, x_, dD_, db_.data());
      args.format = format;
      EXPECT_OK(idelta_backward_weights(context.get(), &args));
      keep(std::string("dD of ") + idelta_format_name(format), dD_);
      step(context, D, format);
    }
    EXPECT_OK(idelta_sidmm(context.get(), 1, m_, n_, 0.5f, 1, x_.data(), n_, D.data(), D.ld(), 0, y_.data(), n_));
    keep("sidmm", y_);
    return all_;
  }

 private:
  void keep(const std::string& name, const Matrix& output) { all_[name] = output.element_bits(); }

  void use_delta(const ContextPtr& context, const Shared& shared) {
    const idelta_activation tanh = kActivations[IDELTA_ACTIVATION_TANH];
    idelta_forward_args forward = forward_args(x_, y_, tanh);
    forward.bias = bias_.data();
    forward.contribution = contribution_.data();
    forward.ldc = n_;
    forward.row_error = row_error_.data();
    EXPECT_OK(idelta_forward(context.get(), shared.delta.get(), &forward));
    const idelta_backward_data_args backward = backward_data_args(x_, y_, dx_, tanh);
    EXPECT_OK(idelta_backward_data(context.get(), shared.delta.get(), &backward));
    keep(shared.name + " y", y_), keep(shared.name + " contribution", contribution_);
    keep(shared.name + " row error", row_error_), keep(shared.name + " dx", dx_);
    idelta_delta_info_t info = info_of(context, shared.delta);
    row_error_(0, 0) = static_cast<float>(info.certificate);
    keep(shared.name + " certificate", row_error_);
  }

  // Of a delta that nobody else has.
  void step(const ContextPtr& context, const Matrix& D, idelta_format format) {
    const Matrix master = D.copy();
    idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
    options.format = format;
    const DeltaPtr own = pack(context, D, options);
    idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
    optimizer.learning_rate = 0.1f;
    idelta_update_args args = update_args(x_, x_, optimizer, master);
    args.gradient_format = format;
    EXPECT_OK(idelta_update(context.get(), own.get(), &args));
    EXPECT_OK(idelta_delta_unpack(context.get(), own.get(), dD_.data(), n_));
    keep(std::string("stepped D of ") + idelta_format_name(format), master);
    keep(std::string("stepped delta of ") + idelta_format_name(format), dD_);
  }

  int64_t m_, n_;
  Matrix x_{m_, n_}, y_{m_, n_}, contribution_{m_, n_}, dx_{m_, n_}, dD_{n_, n_}, bias_{1, n_}, db_{1, n_},
      row_error_{1, m_};
  Bits all_;
};

class SharingTest : public ::testing::Test {};

TEST_F(SharingTest, SixteenThreadsGetTheBitsOfOne) {
  const int64_t m = reduced() ? 24 : 90, n = reduced() ? 50 : 150;
  Random random(4);
  const Matrix D(n, n);
  fill_delta(D, random);
  for (const idelta_bf16_product product : {IDELTA_BF16_PRODUCT_WIDENED, IDELTA_BF16_PRODUCT_ROUNDED}) {
    const auto context_of = [&](int32_t threads) {
      idelta_context_options options = context_options(forced_isa(), threads);
      options.bf16_product = product;
      idelta_context* context = nullptr;
      return idelta_context_create(&options, &context) == IDELTA_OK ? ContextPtr(context) : ContextPtr();
    };
    const ContextPtr alone = context_of(1);
    if (alone == nullptr && product == IDELTA_BF16_PRODUCT_ROUNDED) continue;
    ASSERT_NE(nullptr, alone);
    const Bits expected = User(m, n).use(alone, deltas_of(alone, D), D, 0);
    for (const int32_t threads : {1, 3}) {
      const ContextPtr shared = context_of(threads);
      const std::vector<Shared> deltas = deltas_of(shared, D);
      std::vector<Bits> found(kThreads);
      std::barrier begin(kThreads);
      std::vector<std::thread> users;
      for (size_t i = 0; i < kThreads; ++i) {
        users.emplace_back([&, i] {
          User user(m, n);
          begin.arrive_and_wait();
          for (int round = 0; round < 2; ++round) found[i] = user.use(shared, deltas, D, i);
        });
      }
      for (std::thread& user : users) user.join();
      for (size_t i = 0; i < kThreads; ++i) {
        SCOPED_TRACE("thread " + std::to_string(i) + ", context of " + std::to_string(threads) + " threads");
        EXPECT_EQ(expected.size(), found[i].size());
        expect_same_bits(expected, found[i]);
      }
    }
  }
}

// A context is made and described, and names are asked for, by many at once: the first of each is made then.
TEST_F(SharingTest, SixteenThreadsMakeContextsAtOnce) {
  const std::string expected = idelta_context_describe(make_context(context_options(forced_isa(), 2)).get());
  std::vector<std::string> found(kThreads);
  std::barrier begin(kThreads);
  std::vector<std::thread> users;
  for (size_t i = 0; i < kThreads; ++i) {
    users.emplace_back([&, i] {
      begin.arrive_and_wait();
      for (const auto& names : {idelta_isa_names, idelta_format_names, idelta_activation_names})
        EXPECT_NE("", std::string(names()));
      found[i] = idelta_context_describe(make_context(context_options(forced_isa(), 2)).get());
      // Each thread has its own last sentence.
      idelta_isa isa = IDELTA_ISA_AUTO;
      const std::string wrong = "isa" + std::to_string(i);
      EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_isa_by_name(wrong.c_str(), &isa));
      EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find('"' + wrong + '"')) << idelta_last_error();
    });
  }
  for (std::thread& user : users) user.join();
  for (const std::string& text : found) EXPECT_EQ(expected, text);
}

}  // namespace
}  // namespace idelta_test
