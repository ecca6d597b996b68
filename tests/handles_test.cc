// The handles of idelta.hpp: moved, copied and put into containers like any value.
#include <gtest/gtest.h>

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "idelta/idelta.hpp"

namespace {

using idelta::Context;
using idelta::Delta;

constexpr float kD[4] = {1, 2, 3, 4};

// y = x + x D of x = (1, 2): (8, 12).
void expect_works(const Delta& delta) {
  const float x[2] = {1, 2};
  float y[2] = {0, 0};
  delta.forward({.m = 1, .x = x, .ldx = 2, .y = y, .ldy = 2});
  EXPECT_EQ(8, y[0]);
  EXPECT_EQ(12, y[1]);
  EXPECT_EQ(2, delta.info().n);
}

// A handle beside the one that it was made from, as every program has them.
struct Engine {
  Context context = Context::with(IDELTA_ISA_AUTO, 1);
  Delta delta{context, 2, kD, 2};
};

TEST(Handles, ChainIsOneCallAfterTheOther) {
  const Context context = Context::with(IDELTA_ISA_AUTO, 1);
  const Delta first(context, 2, kD, 2), second(context, 2, kD, 2);
  const float x[2] = {1, 2};
  float between[2], expected[2], y[2] = {0, 0};
  first.forward({.m = 1, .x = x, .ldx = 2, .y = between, .ldy = 2});
  second.forward({.m = 1, .x = between, .ldx = 2, .y = expected, .ldy = 2});
  Delta::forward_chain({&first, &second}, {{.m = 1, .x = x, .ldx = 2}, {.y = y, .ldy = 2}});
  EXPECT_EQ(expected[0], y[0]);
  EXPECT_EQ(expected[1], y[1]);
  EXPECT_THROW(Delta::forward_chain({&first}, {}), idelta::Error);
}

TEST(Handles, StructOfContextAndDeltaIsMoved) {
  Engine first;
  Engine second = std::move(first);
  expect_works(second.delta);
  Engine third;
  third = std::move(second);
  expect_works(third.delta);
}

TEST(Handles, GrowingVectorMovesThem) {
  std::vector<Engine> engines;
  for (int i = 0; i < 20; ++i) {
    engines.emplace_back();
    for (const Engine& engine : engines) expect_works(engine.delta);
  }
  engines.erase(engines.begin(), engines.begin() + 10);
  for (const Engine& engine : engines) expect_works(engine.delta);
}

TEST(Handles, DeltaKeepsItsContextAlive) {
  std::optional<Context> context = Context::with(IDELTA_ISA_AUTO, 1);
  Delta delta(*context, 2, kD, 2);
  context.reset();
  expect_works(delta);
  delta.repack(kD, 2);
  expect_works(delta);
}

TEST(Handles, CopiesOfAContextAreOneContext) {
  const Context context = Context::with(IDELTA_ISA_AUTO, 1);
  const Context copy = context;
  EXPECT_EQ(context.get(), copy.get());
  const Delta delta(copy, 2, kD, 2);
  EXPECT_EQ(context.get(), delta.context().get());
  Context assigned = Context::with(IDELTA_ISA_SCALAR, 1);
  assigned = context;
  EXPECT_EQ(context.get(), assigned.get());
  expect_works(delta);
}

TEST(Handles, MovedFromIsDestroyedAssignedAndRefusedSafely) {
  Engine engine;
  const Delta taken = std::move(engine.delta);
  const Context kept = std::move(engine.context);
  EXPECT_THROW(engine.delta.info(), idelta::Error);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(0, engine.context.threads());
  EXPECT_EQ("", engine.context.describe());
  EXPECT_THROW(Delta(engine.context, 2, kD, 2), idelta::Error);
  engine = Engine();
  expect_works(engine.delta);
  expect_works(taken);
}

// A delta's memory and its use of it are not shared: two would update one.
static_assert(!std::is_copy_constructible_v<Delta> && std::is_nothrow_move_constructible_v<Delta>);
static_assert(std::is_nothrow_move_constructible_v<Context> && std::is_nothrow_move_constructible_v<Engine>);

TEST(Handles, FactorsGoInAndComeOut) {
  const Context context = Context::with(IDELTA_ISA_AUTO, 1);
  const float U[2] = {3, 4}, V[2] = {1, 2};
  float u[2], v[2];
  const Delta delta = Delta::of_factors(context, 2, 1, U, 1, V, 2);
  EXPECT_EQ(1, delta.info().rank);
  delta.unpack_factors(u, 1, v, 2);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) EXPECT_NEAR(U[i] * V[j], u[i] * v[j], 1e-5);
  }
  EXPECT_NEAR(1, u[0] * u[0] + u[1] * u[1], 1e-6);
}

TEST(Handles, NormBoundIsReturnedOrThrows) {
  const Context context;
  const float zeros[4] = {}, bad[4] = {0, 0, 0, 1e30f * 1e30f};
  EXPECT_NEAR(3, idelta::spectral_norm_bound(context, 2, zeros, 2, -3), 1e-5);
  EXPECT_THROW(idelta::spectral_norm_bound(context, 2, bad, 2, 1), idelta::Error);
}

TEST(Handles, MeasuredFactorsArePackedAgain) {
  const Context context;
  const float D[4] = {3, 0, 0, 0}, U[2] = {1, 0}, V[2] = {3, 0};
  const idelta::LowRankProof proof = idelta::low_rank_measure(context, 2, D, 2, 1, U, 1, V, 2);
  EXPECT_LT(proof.dropped, 1e-5);
  const Delta delta = Delta::of_measured(context, 2, 1, U, 1, V, 2, proof);
  EXPECT_EQ(1, delta.info().rank);
  EXPECT_THROW(Delta::of_measured(context, 2, 1, U, 0, V, 2, proof), idelta::Error);
}

}  // namespace
