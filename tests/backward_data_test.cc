// idelta_backward_data: dz = dy (.) act'(y), dx = a dz + dz D^T, against fp64 and against finite differences of
// forward.
#include <cmath>
#include <string>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

using BackwardDataTest = ContextTest;

struct Case {
  int64_t m, n;
  idelta_activation activation = kIdentity;
  float identity_scale = 1.0f;
  bool dz = true;
  bool dx = true;
  bool in_place = false;  // dx is dy; without dx, dz is dy
  int64_t gap = 0;        // ld - n of dy; once to four times more of the others
  Flush flush = Flush::kRight;
};

void check(const ContextPtr& context, const Case& c) {
  SCOPED_TRACE("m " + std::to_string(c.m) + " n " + std::to_string(c.n) + " activation " +
               std::to_string(c.activation.kind) + " a " + std::to_string(c.identity_scale) + (c.dz ? " dz" : "") +
               (c.dx ? " dx" : "") + (c.in_place ? " in place" : "") + " gap " + std::to_string(c.gap));
  const int64_t m = c.m, n = c.n, ld = c.n + c.gap;
  Random random(static_cast<uint64_t>(m * 521 + n));
  Matrix dy(m, n, ld, c.flush), y(m, n, ld + c.gap, c.flush), D(n, n, ld + 4 * c.gap, c.flush);
  const Matrix dz(m, n, ld + 2 * c.gap, c.flush), dx(m, n, ld + 3 * c.gap, c.flush);
  fill_uniform(dy, random), fill_delta(D, random);
  // What forward can return, kinks included.
  fill(y,
       [&] { return static_cast<float>(activate(c.activation, random.below(5) * 0.5 - 1 + random.below(2) * 0.13)); });
  const BackwardDataReference expected = backward_data_reference(dy, y, D, c.identity_scale, c.activation);
  const DeltaPtr delta = pack(context, D, delta_options(c.identity_scale, IDELTA_PASS_BACKWARD_DATA));
  dy.freeze(), y.freeze(), D.freeze();

  const Matrix& dx_out = c.in_place && c.dx ? dy : dx;
  const Matrix& dz_out = c.in_place && !c.dx ? dy : dz;
  idelta_backward_data_args args = backward_data_args(dy, y, dx_out, c.activation);
  if (c.activation.kind == IDELTA_ACTIVATION_IDENTITY) args.y = nullptr;
  if (!c.dx) args.dx = nullptr;
  args.dz = c.dz ? dz_out.data() : nullptr;
  args.lddz = dz_out.ld();
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &args));

  if (c.dz) expect_within(dz_out, expected.dz, "dz");
  if (c.dx) expect_within(dx_out, expected.dx, "dx");
  EXPECT_TRUE(c.dz && !(c.in_place && !c.dx) ? dz.surroundings_untouched() : dz.untouched());
  EXPECT_TRUE(c.dx && !c.in_place ? dx.surroundings_untouched() : dx.untouched());
  EXPECT_TRUE(c.in_place ? dy.surroundings_untouched() : dy.unchanged());
  EXPECT_TRUE(y.unchanged());
  EXPECT_TRUE(D.unchanged());
}

TEST_F(BackwardDataTest, EveryOption) {
  for (const idelta_activation activation : kActivations) {
    for (const float identity_scale : kIdentityScales) {
      for (unsigned mask = 0; mask < 8; ++mask) {
        const bool dz = (mask & 1) != 0, dx = (mask & 2) != 0;
        if (!dz && !dx) continue;
        check(context, {.m = 15,
                        .n = 39,
                        .activation = activation,
                        .identity_scale = identity_scale,
                        .dz = dz,
                        .dx = dx,
                        .in_place = (mask & 4) != 0,
                        .gap = mask % 3,
                        .flush = mask % 2 == 0 ? Flush::kLeft : Flush::kRight});
        if (HasFailure()) return;
      }
    }
  }
}

// dy, or the dz made of it, with rows a multiple of a page apart, which are copied before they are multiplied.
TEST_F(BackwardDataTest, RowsAPageApart) {
  constexpr idelta_activation hard_tanh = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};
  check(context, {.m = 33, .n = 40, .dz = false, .gap = 1024 - 40});                                // of dy
  check(context, {.m = 33, .n = 40, .activation = hard_tanh, .dz = true, .gap = (1024 - 40) / 2});  // of dz
  check(context, {.m = 33, .n = 40, .dx = false, .gap = 1024 - 40});
}

TEST_F(BackwardDataTest, EverySize) {
  Random random(1);
  for (const int64_t n : {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65, 127, 129, 257, 794}) {
    for (const int64_t m : {0, 1, 2, 3, 5, 6, 7, 8, 9, 12, 13, 14, 15, 28, 33, 65, 130}) {
      if (n > 300 && (m > 15 || reduced()) && m != 1) continue;
      for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
        const bool dx = random.below(4) != 0;
        check(context, {.m = m,
                        .n = n,
                        .activation = kActivations[random.below(5)],
                        .identity_scale = kIdentityScales[random.below(4)],
                        .dz = !dx || random.below(2) == 0,
                        .dx = dx,
                        .in_place = random.below(2) == 0,
                        .gap = random.below(2) * random.below(9),
                        .flush = flush});
        if (HasFailure()) return;
      }
    }
  }
}

// The loss sum c y of forward, moved along a random direction v of x: (L(x + hv) - L(x - hv)) / 2h = <dx, v>.
// x keeps away from the kinks at -1, 0 and 1 by more than D and h can move it, so that no difference straddles one.
TEST_F(BackwardDataTest, FiniteDifferencesOfForward) {
  if (forced_format().rounds_x) GTEST_SKIP() << "of rounded x the differences are those of a staircase";
  const int64_t m = 5, n = 23;
  const float h = 0x1p-6f;
  for (const idelta_activation activation : kActivations) {
    for (int trial = 0; trial < 5; ++trial) {
      SCOPED_TRACE("activation " + std::to_string(activation.kind) + " trial " + std::to_string(trial));
      Random random(static_cast<uint64_t>(trial));
      const Matrix x(m, n), direction(m, n), weight(m, n), D(n, n), y(m, n), dx(m, n);
      fill(x, [&] {
        return (random.below(2) == 0 ? 1.0f : -1.0f) * (random.below(2) == 0 ? 0.5f : 1.5f) +
               random.uniform(-0.1f, 0.1f);
      });
      fill_uniform(direction, random), fill_uniform(weight, random), fill_uniform(D, random, 0.006f);
      const DeltaPtr delta = pack(context, D);
      const auto loss = [&](float step) {
        const Matrix moved = x.copy(), out(m, n);
        double sum = 0;
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) moved(i, j) += step * direction(i, j);
        }
        const idelta_forward_args args = forward_args(moved, out, activation);
        EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) sum += static_cast<double>(weight(i, j)) * out(i, j);
        }
        return sum;
      };
      const double difference = (loss(h) - loss(-h)) / (2 * static_cast<double>(h));

      const idelta_forward_args forward = forward_args(x, y, activation);
      ASSERT_OK(idelta_forward(context.get(), delta.get(), &forward));
      const idelta_backward_data_args backward = backward_data_args(weight, y, dx, activation);
      ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
      double slope = 0;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) slope += static_cast<double>(dx(i, j)) * direction(i, j);
      }
      // tanh''' <= 2: each of m n terms, of mean square 1/3 each way, is cut off by less than h^2 / 3; rounding of y
      // is below 2^-23 / h a term.
      EXPECT_NEAR(difference, slope, m * n * (h * h / 3 / 9 + 0x1p-23f / h)) << "slope is " << slope;
    }
  }
}

// dz alone does not multiply by D, so that a delta packed for forward serves.
TEST_F(BackwardDataTest, DzAloneNeedsNoPackedDirection) {
  Random random(3);
  const Matrix D(9, 9), dy(4, 9), y(4, 9), dz(4, 9);
  fill_delta(D, random), fill_uniform(dy, random), fill_uniform(y, random);
  const DeltaPtr delta = pack(context, D, delta_options(1, IDELTA_PASS_FORWARD));
  idelta_backward_data_args args = backward_data_args(dy, y, dz, kActivations[IDELTA_ACTIVATION_TANH]);
  args.dx = nullptr;
  args.dz = dz.data();
  args.lddz = 9;
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  expect_within(dz, backward_data_reference(dy, y, D, 1, args.activation).dz, "dz");
}

}  // namespace
}  // namespace idelta_test
