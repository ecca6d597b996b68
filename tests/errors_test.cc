// Every argument that can be wrong, one table a call: the status, that the message names the argument and its value,
// and that no output was touched.
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/words.h"

namespace idelta_test {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr auto kNoFormat = static_cast<idelta_format>(7);
const float kInfinity = std::numeric_limits<float>::infinity();

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

}  // namespace
}  // namespace idelta_test
