// Every argument that can be wrong, one table a call: the status, that the message names the argument and its value,
// and that no output was touched.
#include <cctype>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/fixture.h"

namespace idelta_test {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr auto kNoFormat = static_cast<idelta_format>(7);
const float kInfinity = std::numeric_limits<float>::infinity();

// Whether `text` holds `word` with no letter, digit or underscore at either end.
bool has_word(const std::string& text, const std::string& word) {
  const auto joins = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !joins(text[at - 1])) && (end == text.size() || !joins(text[end]))) return true;
  }
  return false;
}

// A way to spoil a call, and the words that its message must have.
template <class Call>
struct Mistake {
  std::vector<std::string> words;
  std::function<void(Call&)> make;
};

class ErrorsTest : public ContextTest {
 protected:
  ErrorsTest() {
    Random random(1);
    fill_delta(D, random), fill_uniform(x, random);
    D.freeze(), x.freeze();
    delta = pack(context, D);
  }

  // First the call as it should be, so that what fails later fails for its mistake; then every mistake on its own.
  template <class Call>
  void expect_refusals(const std::function<Call()>& good, const std::vector<Mistake<Call>>& mistakes) {
    for (const Mistake<Call>& mistake : mistakes) {
      Call call = good();
      mistake.make(call);
      const std::string label = mistake.words.empty() ? "?" : mistake.words.back();
      EXPECT_EQ(IDELTA_INVALID_ARGUMENT, call.run()) << label;
      for (const std::string& word : mistake.words) {
        EXPECT_TRUE(has_word(idelta_last_error(), word)) << '"' << word << "\" is not in: " << idelta_last_error();
      }
      EXPECT_TRUE(out.untouched() && out2.untouched()) << label;
      EXPECT_TRUE(D.unchanged() && x.unchanged()) << label;
    }
    Call call = good();
    EXPECT_OK(call.run());
  }

  static constexpr int64_t m = 3, n = 11;
  Matrix D{n, n}, x{m, n}, out{n, n}, out2{n, n};
  DeltaPtr delta;
};

// Mistakes that every struct of arguments can have.
template <class Call>
std::vector<Mistake<Call>> struct_mistakes() {
  return {
      {{"context"}, [](Call& c) { c.context = nullptr; }},
      {{"args"}, [](Call& c) { c.given = nullptr; }},
      {{"struct_size", "0"}, [](Call& c) { c.args.struct_size = 0; }},
      {{"struct_size", "4096"}, [](Call& c) { c.args.struct_size = 4096; }},
      {{"m", "-1"}, [](Call& c) { c.args.m = -1; }},
      {{"m", std::to_string(INT64_MAX)}, [](Call& c) { c.args.m = INT64_MAX; }},
  };
}
template <class Call>
std::vector<Mistake<Call>> activation_mistakes() {
  std::vector<Mistake<Call>> all;
  for (const int kind : {-1, 5, 1000}) {
    all.push_back({{"kind", std::to_string(kind)},
                   [=](Call& c) { c.args.activation.kind = static_cast<idelta_activation_kind>(kind); }});
  }
  for (const float slope : {0.0f, 1.0f, -0.5f, 2.0f, kNan, kInfinity}) {
    all.push_back({{"slope"}, [=](Call& c) { c.args.activation = {IDELTA_ACTIVATION_LEAKY_RELU, slope}; }});
  }
  return all;
}
template <class Call>
std::vector<Mistake<Call>> joined(std::vector<Mistake<Call>> all, const std::vector<std::vector<Mistake<Call>>>& more) {
  for (const auto& each : more) all.insert(all.end(), each.begin(), each.end());
  return all;
}

// A call with its arguments by value; `given` points to args unless a mistake clears it.
template <class Args>
struct StructCall {
  const idelta_context* context;
  idelta_delta* delta;
  Args args;
  idelta_status (*function)(const idelta_context*, idelta_delta*, const Args*);
  const Args* given = &args;

  idelta_status run() { return function(context, delta, given == nullptr ? nullptr : &args); }
};

TEST_F(ErrorsTest, Forward) {
  using Call = StructCall<idelta_forward_args>;
  const std::function<Call()> good = [&] {
    idelta_forward_args args = forward_args(x, out);
    args.contribution = out2.data();
    args.ldc = n;
    return Call{
        context.get(), delta.get(), args,
        [](const idelta_context* c, idelta_delta* d, const idelta_forward_args* a) { return idelta_forward(c, d, a); }};
  };
  expect_refusals<Call>(good, joined<Call>(struct_mistakes<Call>(),
                                           {activation_mistakes<Call>(),
                                            {
                                                {{"delta"}, [](Call& c) { c.delta = nullptr; }},
                                                {{"x"}, [](Call& c) { c.args.x = nullptr; }},
                                                {{"ldx", "10"}, [](Call& c) { c.args.ldx = 10; }},
                                                {{"ldx", "-11"}, [](Call& c) { c.args.ldx = -11; }},
                                                {{"y"}, [](Call& c) { c.args.y = nullptr; }},
                                                {{"ldy", "0"}, [](Call& c) { c.args.ldy = 0; }},
                                                {{"ldc", "10"}, [](Call& c) { c.args.ldc = 10; }},
                                                {{"contribution"}, [](Call& c) { c.args.contribution = c.args.y; }},
                                            }}));
}

TEST_F(ErrorsTest, BackwardData) {
  using Call = StructCall<idelta_backward_data_args>;
  const std::function<Call()> good = [&] {
    idelta_backward_data_args args = backward_data_args(x, x, out, {IDELTA_ACTIVATION_TANH, 0});
    args.dz = out2.data();
    args.lddz = n;
    return Call{context.get(), delta.get(), args,
                [](const idelta_context* c, idelta_delta* d, const idelta_backward_data_args* a) {
                  return idelta_backward_data(c, d, a);
                }};
  };
  expect_refusals<Call>(
      good, joined<Call>(struct_mistakes<Call>(), {activation_mistakes<Call>(),
                                                   {
                                                       {{"delta"}, [](Call& c) { c.delta = nullptr; }},
                                                       {{"dy"}, [](Call& c) { c.args.dy = nullptr; }},
                                                       {{"lddy", "10"}, [](Call& c) { c.args.lddy = 10; }},
                                                       {{"y"}, [](Call& c) { c.args.y = nullptr; }},
                                                       {{"ldy", "10"}, [](Call& c) { c.args.ldy = 10; }},
                                                       {{"lddz", "10"}, [](Call& c) { c.args.lddz = 10; }},
                                                       {{"lddx", "10"}, [](Call& c) { c.args.lddx = 10; }},
                                                       {{"dx", "dz"}, [](Call& c) { c.args.dx = c.args.dz = nullptr; }},
                                                       {{"dx", "dz"}, [](Call& c) { c.args.dx = c.args.dz; }},
                                                   }}));
}

TEST_F(ErrorsTest, BackwardWeights) {
  using Call = StructCall<idelta_backward_weights_args>;
  const std::function<Call()> good = [&] {
    return Call{context.get(), nullptr, backward_weights_args(x, x, out, out2.data()),
                [](const idelta_context* c, idelta_delta*, const idelta_backward_weights_args* a) {
                  return idelta_backward_weights(c, a);
                }};
  };
  expect_refusals<Call>(
      good, joined<Call>(struct_mistakes<Call>(), {{
                                                      {{"n", "0"}, [](Call& c) { c.args.n = 0; }},
                                                      {{"n", "-5"}, [](Call& c) { c.args.n = -5; }},
                                                      {{"x"}, [](Call& c) { c.args.x = nullptr; }},
                                                      {{"ldx", "10"}, [](Call& c) { c.args.ldx = 10; }},
                                                      {{"dz"}, [](Call& c) { c.args.dz = nullptr; }},
                                                      {{"lddz", "10"}, [](Call& c) { c.args.lddz = 10; }},
                                                      {{"lddD", "10"}, [](Call& c) { c.args.lddD = 10; }},
                                                      {{"beta", "nan"}, [](Call& c) { c.args.beta = kNan; }},
                                                      {{"dD", "db"}, [](Call& c) { c.args.dD = c.args.db = nullptr; }},
                                                      {{"format", "7"}, [](Call& c) { c.args.format = kNoFormat; }},
                                                  }}));
}

TEST_F(ErrorsTest, Update) {
  using Call = StructCall<idelta_update_args>;
  const Matrix master = D.copy(), state[2] = {D.copy(), D.copy()};
  const std::vector<uint32_t> before = D.element_bits();
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  const std::function<Call()> good = [&] {
    optimizer = IDELTA_OPTIMIZER_INIT;
    optimizer.kind = IDELTA_OPTIMIZER_ADAMW;
    idelta_update_args args = update_args(x, x, optimizer, master);
    for (int i = 0; i < 2; ++i) args.state[i] = state[i].data();
    return Call{
        context.get(), delta.get(), args,
        [](const idelta_context* c, idelta_delta* d, const idelta_update_args* a) { return idelta_update(c, d, a); }};
  };
  std::vector<Mistake<Call>> mistakes =
      joined<Call>(struct_mistakes<Call>(),
                   {{
                       {{"delta"}, [](Call& c) { c.delta = nullptr; }},
                       {{"x"}, [](Call& c) { c.args.x = nullptr; }},
                       {{"ldx", "10"}, [](Call& c) { c.args.ldx = 10; }},
                       {{"dz"}, [](Call& c) { c.args.dz = nullptr; }},
                       {{"lddz", "10"}, [](Call& c) { c.args.lddz = 10; }},
                       {{"ldd", "10"}, [](Call& c) { c.args.ldd = 10; }},
                       {{"optimizer"}, [](Call& c) { c.args.optimizer = nullptr; }},
                       {{"state"}, [](Call& c) { c.args.state[0] = nullptr; }},
                       {{"state"}, [](Call& c) { c.args.state[1] = nullptr; }},
                       {{"bias_state"}, [&](Call& c) { c.args.bias = state[0].data(); }},
                       {{"gradient_format", "7"}, [](Call& c) { c.args.gradient_format = kNoFormat; }},
                       {{"order", "7"}, [](Call& c) { c.args.order = static_cast<idelta_order>(7); }},
                       {{"struct_size", "0"}, [&](Call&) { optimizer.struct_size = 0; }},
                       {{"kind", "9"}, [&](Call&) { optimizer.kind = static_cast<idelta_optimizer_kind>(9); }},
                       {{"step", "0"}, [&](Call&) { optimizer.step = 0; }},
                       {{"learning_rate", "nan"}, [&](Call&) { optimizer.learning_rate = kNan; }},
                       {{"weight_decay", "inf"}, [&](Call&) { optimizer.weight_decay = kInfinity; }},
                       {{"momentum", "nan"}, [&](Call&) { optimizer.momentum = kNan; }},
                       {{"momentum"}, [&](Call&) { optimizer.momentum = 1.0f; }},
                       {{"beta2"}, [&](Call&) { optimizer.beta2 = 1.0f; }},
                       {{"epsilon"}, [&](Call&) { optimizer.epsilon = -1.0f; }},
                   }});
  for (Mistake<Call>& mistake : mistakes) {
    // The master copy, its state and the packed delta are outputs too.
    mistake.make = [&, make = mistake.make](Call& c) {
      EXPECT_EQ(before, master.element_bits());
      make(c);
    };
  }
  expect_refusals<Call>(good, mistakes);
}

struct PackCall {
  const idelta_context* context;
  int64_t n;
  const float* D;
  int64_t ldd;
  idelta_delta_options options;
  idelta_delta* made = nullptr;
  bool nowhere = false;
  idelta_status run() {
    const idelta_status status = idelta_delta_pack(context, n, D, ldd, &options, nowhere ? nullptr : &made);
    EXPECT_EQ(status == IDELTA_OK, made != nullptr);
    idelta_delta_destroy(made);
    return status;
  }
};

TEST_F(ErrorsTest, Pack) {
  const std::function<PackCall()> good = [&] { return PackCall{context.get(), n, D.data(), n, delta_options()}; };
  expect_refusals<PackCall>(
      good, {
                {{"context"}, [](PackCall& c) { c.context = nullptr; }},
                {{"n", "0"}, [](PackCall& c) { c.n = 0; }},
                {{"n", "-7"}, [](PackCall& c) { c.n = -7; }},
                {{"D"}, [](PackCall& c) { c.D = nullptr; }},
                {{"ldd", "10"}, [](PackCall& c) { c.ldd = 10; }},
                {{"delta"}, [](PackCall& c) { c.nowhere = true; }},
                {{"struct_size", "0"}, [](PackCall& c) { c.options.struct_size = 0; }},
                {{"format", "55"}, [](PackCall& c) { c.options.format = static_cast<idelta_format>(55); }},
                {{"passes", "4"}, [](PackCall& c) { c.options.passes = static_cast<idelta_passes>(4); }},
                {{"passes", "-1"}, [](PackCall& c) { c.options.passes = static_cast<idelta_passes>(-1); }},
                {{"identity_scale", "nan"}, [](PackCall& c) { c.options.identity_scale = kNan; }},
                {{"identity_scale", "inf"}, [](PackCall& c) { c.options.identity_scale = kInfinity; }},
                {{"tolerance", "nan"}, [](PackCall& c) { c.options.tolerance = kNan; }},
                {{"tolerance"}, [](PackCall& c) { c.options.tolerance = -0.5; }},
            });
}

// n^2 floats overflow 64 bits, or merely all memory: an error either way, before anything of D is read.
TEST_F(ErrorsTest, WidthsBeyondMemory) {
  for (const int64_t width : {int64_t{1} << 22, int64_t{1} << 31, int64_t{1} << 32, INT64_MAX}) {
    idelta_delta* made = nullptr;
    const idelta_status status = idelta_delta_pack(context.get(), width, D.data(), width, nullptr, &made);
    EXPECT_TRUE(status == IDELTA_OUT_OF_MEMORY || status == IDELTA_INVALID_ARGUMENT) << width << ": " << status;
    EXPECT_EQ(nullptr, made);
    EXPECT_STRNE("", idelta_last_error());
  }
}

// Calls with few arguments: a status each, and the word their message must have.
TEST_F(ErrorsTest, TheRestNamesItsArgument) {
  const idelta_context* c = context.get();
  idelta_delta* d = delta.get();
  idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT, wrong_info = info;
  wrong_info.struct_size = 1;
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT, wrong = proof;
  wrong.struct_size = 1;
  size_t bytes = 12345;
  int64_t floats = 12345;
  double norm = 12345;
  Matrix bad = D.copy();
  bad(2, 1) = std::numeric_limits<float>::infinity();
  const float* X = x.data();
  float* Y = out.data();
  const auto sidmm = [&](const idelta_context* with, int64_t rows, int64_t width, const float* from, int64_t ldx,
                         const float* delta_matrix, int64_t ldd, float* to, int64_t ldy) {
    return idelta_sidmm(with, 0, rows, width, 1, 1, from, ldx, delta_matrix, ldd, 0, to, ldy);
  };
  const auto sidmv = [&](const idelta_context* with, int64_t width, const float* from, int64_t incx,
                         const float* delta_matrix, int64_t ldd, float* to, int64_t incy) {
    return idelta_sidmv(with, 0, width, 1, 1, from, incx, delta_matrix, ldd, 0, to, incy);
  };
  struct Row {
    std::vector<std::string> words;
    std::function<idelta_status()> call;
  };
  const Row rows[] = {
      {{"context"}, [&] { return idelta_delta_unpack(nullptr, d, Y, n); }},
      {{"delta"}, [&] { return idelta_delta_unpack(c, nullptr, Y, n); }},
      {{"D"}, [&] { return idelta_delta_unpack(c, d, nullptr, n); }},
      {{"ldd", "10"}, [&] { return idelta_delta_unpack(c, d, Y, 10); }},
      {{"context"}, [&] { return idelta_panels_floats(nullptr, n, &floats); }},
      {{"n", "0"}, [&] { return idelta_panels_floats(c, 0, &floats); }},
      {{"floats"}, [&] { return idelta_panels_floats(c, n, nullptr); }},
      {{"context"}, [&] { return idelta_panels_pack(nullptr, n, X, n, Y); }},
      {{"n", "-1"}, [&] { return idelta_panels_pack(c, -1, X, n, Y); }},
      {{"rows"}, [&] { return idelta_panels_pack(c, n, nullptr, n, Y); }},
      {{"ld", "10"}, [&] { return idelta_panels_pack(c, n, X, 10, Y); }},
      {{"panels"}, [&] { return idelta_panels_pack(c, n, X, n, nullptr); }},
      {{"context"}, [&] { return idelta_panels_unpack(nullptr, n, X, Y, n); }},
      {{"n", "0"}, [&] { return idelta_panels_unpack(c, 0, X, Y, n); }},
      {{"panels"}, [&] { return idelta_panels_unpack(c, n, nullptr, Y, n); }},
      {{"rows"}, [&] { return idelta_panels_unpack(c, n, X, nullptr, n); }},
      {{"ld", "10"}, [&] { return idelta_panels_unpack(c, n, X, Y, 10); }},
      {{"context"}, [&] { return idelta_delta_repack(nullptr, d, X, n); }},
      {{"delta"}, [&] { return idelta_delta_repack(c, nullptr, X, n); }},
      {{"D"}, [&] { return idelta_delta_repack(c, d, nullptr, n); }},
      {{"ldd", "10"}, [&] { return idelta_delta_repack(c, d, X, 10); }},
      {{"context"}, [&] { return idelta_delta_info(nullptr, d, &info); }},
      {{"delta"}, [&] { return idelta_delta_info(c, nullptr, &info); }},
      {{"info"}, [&] { return idelta_delta_info(c, d, nullptr); }},
      {{"struct_size", "1"}, [&] { return idelta_delta_info(c, d, &wrong_info); }},
      {{"context"}, [&] { return idelta_spectral_norm_bound(nullptr, n, D.data(), n, 1, &norm); }},
      {{"n", "0"}, [&] { return idelta_spectral_norm_bound(c, 0, D.data(), n, 1, &norm); }},
      {{"D"}, [&] { return idelta_spectral_norm_bound(c, n, nullptr, n, 1, &norm); }},
      {{"ldd", "10"}, [&] { return idelta_spectral_norm_bound(c, n, D.data(), 10, 1, &norm); }},
      {{"identity_scale", "nan"}, [&] { return idelta_spectral_norm_bound(c, n, D.data(), n, NAN, &norm); }},
      {{"D[2, 1]", "inf"}, [&] { return idelta_spectral_norm_bound(c, n, bad.data(), bad.ld(), 1, &norm); }},
      {{"bound"}, [&] { return idelta_spectral_norm_bound(c, n, D.data(), n, 1, nullptr); }},
      {{"context"}, [&] { return idelta_low_rank_measure(nullptr, n, X, n, 0, nullptr, 0, nullptr, 0, &proof); }},
      {{"proof"}, [&] { return idelta_low_rank_measure(c, n, X, n, 0, nullptr, 0, nullptr, 0, nullptr); }},
      {{"struct_size", "1"}, [&] { return idelta_low_rank_measure(c, n, X, n, 0, nullptr, 0, nullptr, 0, &wrong); }},
      {{"context"}, [&] { return idelta_forward_workspace_bytes(nullptr, d, 1, &bytes); }},
      {{"delta"}, [&] { return idelta_forward_workspace_bytes(c, nullptr, 1, &bytes); }},
      {{"m", "-2"}, [&] { return idelta_forward_workspace_bytes(c, d, -2, &bytes); }},
      {{"bytes"}, [&] { return idelta_forward_workspace_bytes(c, d, 1, nullptr); }},
      {{"m", "-2"}, [&] { return idelta_backward_data_workspace_bytes(c, d, -2, &bytes); }},
      {{"n", "0"}, [&] { return idelta_backward_weights_workspace_bytes(c, 1, 0, &bytes); }},
      {{"m", "-2"}, [&] { return idelta_update_workspace_bytes(c, d, -2, &bytes); }},
      {{"context"}, [&] { return sidmm(nullptr, m, n, X, n, D.data(), n, Y, n); }},
      {{"m", "-1"}, [&] { return sidmm(c, -1, n, X, n, D.data(), n, Y, n); }},
      {{"n", "0"}, [&] { return sidmm(c, m, 0, X, n, D.data(), n, Y, n); }},
      {{"x"}, [&] { return sidmm(c, m, n, nullptr, n, D.data(), n, Y, n); }},
      {{"ldx", "10"}, [&] { return sidmm(c, m, n, X, 10, D.data(), n, Y, n); }},
      {{"D"}, [&] { return sidmm(c, m, n, X, n, nullptr, n, Y, n); }},
      {{"ldd", "10"}, [&] { return sidmm(c, m, n, X, n, D.data(), 10, Y, n); }},
      {{"y"}, [&] { return sidmm(c, m, n, X, n, D.data(), n, nullptr, n); }},
      {{"ldy", "10"}, [&] { return sidmm(c, m, n, X, n, D.data(), n, Y, 10); }},
      {{"context"}, [&] { return sidmv(nullptr, n, X, 1, D.data(), n, Y, 1); }},
      {{"n", "-1"}, [&] { return sidmv(c, -1, X, 1, D.data(), n, Y, 1); }},
      {{"x"}, [&] { return sidmv(c, n, nullptr, 1, D.data(), n, Y, 1); }},
      {{"incx", "0"}, [&] { return sidmv(c, n, X, 0, D.data(), n, Y, 1); }},
      {{"D"}, [&] { return sidmv(c, n, X, 1, nullptr, n, Y, 1); }},
      {{"ldd", "10"}, [&] { return sidmv(c, n, X, 1, D.data(), 10, Y, 1); }},
      {{"y"}, [&] { return sidmv(c, n, X, 1, D.data(), n, nullptr, 1); }},
      {{"incy", "0"}, [&] { return sidmv(c, n, X, 1, D.data(), n, Y, 0); }},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, row.call()) << row.words.back();
    for (const std::string& word : row.words) {
      EXPECT_TRUE(has_word(idelta_last_error(), word)) << '"' << word << "\" is not in: " << idelta_last_error();
    }
    EXPECT_TRUE(out.untouched());
    EXPECT_EQ(12345u, bytes);
  }
}

}  // namespace
}  // namespace idelta_test
