// idelta_update: every optimiser against fp64, one step at a time from the library's own state, so that the bound is
// that of one step; D, delta and the unfused passes must agree.
#include <string>
#include <utility>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

using UpdateTest = ContextTest;

constexpr idelta_optimizer_kind kKinds[] = {IDELTA_OPTIMIZER_SGD, IDELTA_OPTIMIZER_MOMENTUM, IDELTA_OPTIMIZER_NESTEROV,
                                            IDELTA_OPTIMIZER_ADAMW};

idelta_optimizer make_optimizer(idelta_optimizer_kind kind, float decay) {
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = kind;
  optimizer.learning_rate = 0.03f;
  optimizer.weight_decay = decay;
  return optimizer;
}

// Parameters and their optimiser state, n x n or 1 x n.
struct Parameters {
  explicit Parameters(int64_t rows, int64_t n, int64_t ld, Flush flush = Flush::kRight)
      : value(rows, n, ld, flush), first(rows, n, n, flush), second(rows, n, n, flush) {
    fill(first, [] { return 0.0f; });
    fill(second, [] { return 0.0f; });
  }
  Parameters copy() const { return Parameters(value.copy(), first.copy(), second.copy()); }
  Parameters(Matrix v, Matrix f, Matrix s) : value(std::move(v)), first(std::move(f)), second(std::move(s)) {}
  Matrix value, first, second;
};

void set_parameters(idelta_update_args& args, const Parameters& D, const Parameters* bias) {
  args.state[0] = D.first.data();
  args.state[1] = D.second.data();
  if (bias == nullptr) return;
  args.bias = bias->value.data();
  args.bias_state[0] = bias->first.data();
  args.bias_state[1] = bias->second.data();
}

// One fp64 step from `before` with the given gradient, and what the library may deviate by.
void expect_step(const Parameters& before, const Parameters& after, const Bounded& gradient,
                 const idelta_optimizer& optimizer, bool decays, const char* what) {
  const int64_t rows = before.value.rows(), n = before.value.cols();
  Bounded value{zeros(rows, n), zeros(rows, n)}, first = value, second = value;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const BoundedParameter step =
          optimizer_step_bounded(optimizer, decays, {before.value(i, j), {before.first(i, j), before.second(i, j)}},
                                 gradient.value(i, j), gradient.bound(i, j));
      value.value(i, j) = step.after.value, value.bound(i, j) = step.bound.value;
      first.value(i, j) = step.after.state[0], first.bound(i, j) = step.bound.state[0];
      second.value(i, j) = step.after.state[1], second.bound(i, j) = step.bound.state[1];
    }
  }
  const int32_t states = idelta_optimizer_state_arrays(optimizer.kind);
  expect_within(after.value, value, what);
  if (states > 0) expect_within(after.first, first, "state[0]");
  if (states > 1) expect_within(after.second, second, "state[1]");
  EXPECT_TRUE(after.value.surroundings_untouched());
  EXPECT_TRUE(after.first.surroundings_untouched());
  EXPECT_TRUE(after.second.surroundings_untouched());
}

// The packed delta is that of D, in both directions.
void expect_packed(const ContextPtr& context, const DeltaPtr& delta, const Matrix& D,
                   const idelta_delta_options& options) {
  const int64_t n = D.cols();
  Random random(5);
  const Matrix x(4, n);
  fill_uniform(x, random);
  std::vector<std::vector<uint32_t>> results;
  const DeltaPtr fresh = pack(context, D, options);
  for (const DeltaPtr* each : {&fresh, &delta}) {
    const Matrix y(4, n), dx(4, n), back(n, n);
    const idelta_forward_args forward = forward_args(x, y);
    ASSERT_OK(idelta_forward(context.get(), each->get(), &forward));
    const idelta_backward_data_args backward = backward_data_args(x, x, dx);
    ASSERT_OK(idelta_backward_data(context.get(), each->get(), &backward));
    ASSERT_OK(idelta_delta_unpack(context.get(), each->get(), back.data(), n));
    for (const Matrix* result : {&y, &dx, &back}) results.push_back(result->element_bits());
  }
  EXPECT_EQ(results[2], results[5]) << "unpacked delta is not D";
  EXPECT_EQ(results[0], results[3]) << "forward";
  EXPECT_EQ(results[1], results[4]) << "backward_data";
  EXPECT_EQ(info_of(context, fresh).norm_frobenius, info_of(context, delta).norm_frobenius);
}

struct Case {
  int64_t m, n;
  idelta_optimizer_kind kind;
  float decay = 0.0f;
  bool bias = true;
  bool transposed = false;
  int64_t gap = 0;  // ld - n of x; twice and three times that of D and dz
  Flush flush = Flush::kRight;
};

void check_steps(const ContextPtr& context, const Case& c, int steps) {
  SCOPED_TRACE("m " + std::to_string(c.m) + " n " + std::to_string(c.n) + " optimizer " + std::to_string(c.kind) +
               " decay " + std::to_string(c.decay) + (c.transposed ? " transposed" : "") + (c.bias ? " bias" : ""));
  const int64_t n = c.n;
  Random random(static_cast<uint64_t>(c.m * 17 + n));
  const Parameters D(n, n, n + 2 * c.gap, c.flush), bias(1, n, n, c.flush);
  fill_delta(D.value, random), fill_uniform(bias.value, random);
  const idelta_delta_options options = delta_options(1, IDELTA_PASS_BOTH, c.transposed);
  const DeltaPtr delta = pack(context, D.value, options);
  idelta_optimizer optimizer = make_optimizer(c.kind, c.decay);
  for (int step = 1; step <= steps; ++step) {
    Matrix x(c.m, n, n + c.gap, c.flush), dz(c.m, n, n + 3 * c.gap, c.flush);
    fill_uniform(x, random), fill_uniform(dz, random);
    x.freeze(), dz.freeze();
    const Parameters D_before = D.copy(), bias_before = bias.copy();
    // D is kept in the order in which it was packed: out x in has the gradient dz^T x.
    const Matrix &left = c.transposed ? dz : x, &right = c.transposed ? x : dz;
    const Bounded D_gradient = backward_weights_reference(left, right, 0, zeros(n, n), zeros(1, n)).dD;
    const Bounded bias_gradient = backward_weights_reference(x, dz, 0, zeros(n, n), zeros(1, n)).db;
    optimizer.step = step;
    idelta_update_args args = update_args(x, dz, optimizer, D.value);
    set_parameters(args, D, c.bias ? &bias : nullptr);
    ASSERT_OK(idelta_update(context.get(), delta.get(), &args));

    expect_step(D_before, D, D_gradient, optimizer, true, "D");
    if (c.bias) expect_step(bias_before, bias, bias_gradient, optimizer, false, "bias");
    EXPECT_TRUE(c.bias || bias.value.element_bits() == bias_before.value.element_bits());
    EXPECT_TRUE(x.unchanged());
    EXPECT_TRUE(dz.unchanged());
    expect_packed(context, delta, D.value, options);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST_F(UpdateTest, EveryOptimizerTakesTheStepOfItsFormula) {
  for (const idelta_optimizer_kind kind : kKinds) {
    for (const float decay : {0.0f, 0.1f}) {
      for (const bool bias : {true, false}) {
        for (const bool transposed : {false, true}) {
          check_steps(context,
                      {.m = 21,
                       .n = 53,
                       .kind = kind,
                       .decay = decay,
                       .bias = bias,
                       .transposed = transposed,
                       .gap = bias ? 3 : 0},
                      4);
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST_F(UpdateTest, EverySize) {
  int turn = 0;
  for (const int64_t n : {1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 129, reduced() ? 130 : 300}) {
    for (const int64_t m : {1, 2, 3, 4, 7, 14, 33, 150}) {
      for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
        check_steps(context, {.m = m, .n = n, .kind = kKinds[turn++ % 4], .decay = 0.01f, .flush = flush}, 2);
        if (HasFailure()) return;
      }
    }
  }
}

// SGD with rate 1 from D = 0 leaves -gradient: it has the bits of backward_weights.
void check_gradient(const ContextPtr& context, int64_t m, int64_t n, bool transposed) {
  SCOPED_TRACE("m " + std::to_string(m) + " n " + std::to_string(n) + (transposed ? " transposed" : ""));
  Random random(3);
  const Matrix x(m, n), dz(m, n), dD(n, n), db(1, n), D(n, n), bias(1, n);
  fill_uniform(x, random), fill_uniform(dz, random);
  fill(D, [] { return 0.0f; }), fill(bias, [] { return 0.0f; });
  const DeltaPtr delta = pack(context, D, delta_options(1, IDELTA_PASS_BOTH, transposed));
  idelta_optimizer optimizer = make_optimizer(IDELTA_OPTIMIZER_SGD, 0.0f);
  optimizer.learning_rate = 1.0f;
  idelta_update_args update = update_args(x, dz, optimizer, D);
  update.bias = bias.data();
  ASSERT_OK(idelta_update(context.get(), delta.get(), &update));
  const idelta_backward_weights_args unfused = backward_weights_args(x, dz, dD, db.data());
  ASSERT_OK(idelta_backward_weights(context.get(), &unfused));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) ASSERT_EQ(-dD(i, j), transposed ? D(j, i) : D(i, j)) << i << ", " << j;
    ASSERT_EQ(-db(0, i), bias(0, i)) << i;
  }
}

// Few rows are multiplied by the optimiser's kernel, more by the tiles of backward_weights.
TEST_F(UpdateTest, FusedGradientHasTheBitsOfBackwardWeights) {
  for (const int64_t n : {5, 64, 130}) {
    for (const int64_t m : {1, 47, 140, 300}) {
      for (const bool transposed : {false, true}) {
        // Split operands: x_hi dz_lo comes before x_lo dz_hi, or after it.
        if (transposed && forced_format().format == IDELTA_FORMAT_BF16X3) continue;
        check_gradient(context, m, n, transposed);
      }
    }
  }
}

TEST_F(UpdateTest, NoRowsDoesNothing) {
  Random random(4);
  Matrix D(6, 6), none(0, 6);
  fill_delta(D, random);
  D.freeze();
  const DeltaPtr delta = pack(context, D);
  const idelta_optimizer optimizer = make_optimizer(IDELTA_OPTIMIZER_SGD, 0.5f);
  const idelta_update_args args = update_args(none, none, optimizer, D);
  ASSERT_OK(idelta_update(context.get(), delta.get(), &args));
  EXPECT_TRUE(D.unchanged());
}

// Without a master copy the packed delta is the master: the same bits as with one, for every optimiser.
TEST_F(UpdateTest, PackedDeltaAloneTakesTheSameSteps) {
  if (!stores_f32()) GTEST_SKIP() << "too coarse to be the master";
  const int64_t n = 75;
  for (const idelta_optimizer_kind kind : kKinds) {
    Random random(7);
    const Parameters with(n, n, n), without(n, n, n);
    fill_delta(with.value, random);
    const DeltaPtr expected = pack(context, with.value), delta = pack(context, with.value);
    idelta_optimizer optimizer = make_optimizer(kind, 0.1f);
    const Matrix x(19, n), dz(19, n);
    for (optimizer.step = 1; optimizer.step <= 3; ++optimizer.step) {
      fill_uniform(x, random), fill_uniform(dz, random);
      idelta_update_args args = update_args(x, dz, optimizer, with.value);
      set_parameters(args, with, nullptr);
      ASSERT_OK(idelta_update(context.get(), expected.get(), &args));
      set_parameters(args, without, nullptr);
      args.D = nullptr;
      ASSERT_OK(idelta_update(context.get(), delta.get(), &args));
      expect_packed(context, delta, with.value, delta_options());
      EXPECT_EQ(with.first.element_bits(), without.first.element_bits());
      EXPECT_EQ(with.second.element_bits(), without.second.element_bits());
      if (HasFailure()) return;
    }
  }
}

// The same in panels, with guard pages around them.
class InPanels {
 public:
  InPanels(const ContextPtr& context, const Parameters& rows)
      : context_(context),
        rows_(rows),
        value_(in_panels(rows.value)),
        first_(in_panels(rows.first)),
        second_(in_panels(rows.second)) {}

  void set(idelta_update_args& args) const {
    args.D = value_.data();
    args.ldd = 0;
    args.state[0] = first_.data();
    args.state[1] = second_.data();
    args.order = IDELTA_ORDER_PANELS;
  }
  void expect_same(bool value_too) const {
    if (value_too) expect_same(value_, rows_.value, "D");
    expect_same(first_, rows_.first, "state[0]");
    expect_same(second_, rows_.second, "state[1]");
  }

 private:
  Matrix in_panels(const Matrix& rows) const {
    int64_t floats = 0;
    EXPECT_OK(idelta_panels_floats(context_.get(), rows.cols(), &floats));
    Matrix panels(1, floats);
    EXPECT_OK(idelta_panels_pack(context_.get(), rows.cols(), rows.data(), rows.ld(), panels.data()));
    return panels;
  }
  void expect_same(const Matrix& panels, const Matrix& rows, const char* what) const {
    const int64_t n = rows.cols();
    const Matrix back(n, n);
    EXPECT_OK(idelta_panels_unpack(context_.get(), n, panels.data(), back.data(), n));
    EXPECT_EQ(rows.element_bits(), back.element_bits()) << what;
    EXPECT_TRUE(panels.surroundings_untouched()) << what;
  }

  const ContextPtr& context_;
  const Parameters& rows_;
  Matrix value_, first_, second_;
};

// D in panels, or the packed delta as master where it can be; state in panels: the bits of those in rows.
void check_panels(const ContextPtr& context, int64_t m, int64_t n, idelta_optimizer_kind kind, bool transposed) {
  SCOPED_TRACE("m " + std::to_string(m) + " n " + std::to_string(n) + (transposed ? " transposed" : ""));
  for (const bool packed_master : {false, true}) {
    if (packed_master && (transposed || !stores_f32())) continue;
    Random random(static_cast<uint64_t>(n + m));
    const Parameters rows(n, n, n);
    fill_delta(rows.value, random);
    const idelta_delta_options options = delta_options(1, IDELTA_PASS_BOTH, transposed);
    const DeltaPtr expected = pack(context, rows.value, options), delta = pack(context, rows.value, options);
    const InPanels panels(context, rows);
    const Matrix x(m, n), dz(m, n);
    idelta_optimizer optimizer = make_optimizer(kind, 0.1f);
    for (optimizer.step = 1; optimizer.step <= 2; ++optimizer.step) {
      fill_uniform(x, random), fill_uniform(dz, random);
      idelta_update_args args = update_args(x, dz, optimizer, rows.value);
      set_parameters(args, rows, nullptr);
      ASSERT_OK(idelta_update(context.get(), expected.get(), &args));
      panels.set(args);
      if (packed_master) args.D = nullptr;
      ASSERT_OK(idelta_update(context.get(), delta.get(), &args));
      panels.expect_same(!packed_master);
      expect_packed(context, delta, rows.value, options);
    }
  }
}

TEST_F(UpdateTest, PanelsTakeTheSameStepsAsRows) {
  for (const bool transposed : {false, true}) {
    for (const idelta_optimizer_kind kind : kKinds) {
      check_panels(context, 19, 75, kind, transposed);
      if (HasFailure()) return;
    }
    // One run down a panel and several; columns of x that are packed in blocks; rows too many for the kernel.
    for (const int64_t n : {1, 31, 130, reduced() ? 130 : 600, reduced() ? 128 : 512}) {
      for (const int64_t m : {1, 3, 19, 30, 300}) check_panels(context, m, n, IDELTA_OPTIMIZER_ADAMW, transposed);
      if (HasFailure()) return;
    }
  }
}

// Only the directions that were packed are kept.
TEST_F(UpdateTest, OnePassPacked) {
  for (const idelta_passes passes : {IDELTA_PASS_FORWARD, IDELTA_PASS_BACKWARD_DATA}) {
    Random random(6);
    const Matrix D(40, 40), x(9, 40), back(40, 40);
    fill_delta(D, random), fill_uniform(x, random);
    const DeltaPtr delta = pack(context, D, delta_options(1, passes));
    const idelta_optimizer optimizer = make_optimizer(IDELTA_OPTIMIZER_SGD, 0.0f);
    const idelta_update_args args = update_args(x, x, optimizer, D);
    ASSERT_OK(idelta_update(context.get(), delta.get(), &args));
    ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), back.data(), 40));
    SCOPED_TRACE("passes " + std::to_string(passes));
    expect_equal(back, stored(D), "D");
  }
}

TEST_F(UpdateTest, StateArrays) {
  EXPECT_EQ(0, idelta_optimizer_state_arrays(IDELTA_OPTIMIZER_SGD));
  EXPECT_EQ(1, idelta_optimizer_state_arrays(IDELTA_OPTIMIZER_MOMENTUM));
  EXPECT_EQ(1, idelta_optimizer_state_arrays(IDELTA_OPTIMIZER_NESTEROV));
  EXPECT_EQ(2, idelta_optimizer_state_arrays(IDELTA_OPTIMIZER_ADAMW));
}

}  // namespace
}  // namespace idelta_test
