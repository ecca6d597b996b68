// The kernels of AMX on emulated tile registers, against the scalar reference: what a machine with AMX runs, but for
// the eight instructions themselves.
#include "kernels/amx/multiply.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/scalar/vector.h"
#include "src/core/machine/dispatch.h"
#include "support/guard_buffer.h"
#include "support/random.h"
#include "support/tile_engine.h"

namespace idelta_test {
namespace {

using idelta::Bf16Block;
using idelta::kPairLine;
using idelta::amx::kColumns;

struct Case {
  int64_t rows, cols, k;
  bool split;
  idelta::ActivationArgs activation = {1, -std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::infinity(), false};
  bool bias = true, contribution = true;
  bool integers = false;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.rows << " x " << c.cols << " k " << c.k << (c.split ? " split" : "") << (c.bias ? " bias" : "")
             << (c.contribution ? " contribution" : "") << (c.activation.tanh ? " tanh" : "");
}

int64_t rounded_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Operands of a case, packed for panels of `nr` columns, and where its results go.
class Operands {
 public:
  Operands(const Case& c, int64_t nr)
      : c_(c),
        nr_(nr),
        ldx_(c.k + kPairLine),
        panels_((c.cols + nr - 1) / nr),
        x_((rounded_up(c.rows, 16) * ldx_ + 1) / 2 * 4 * 2, Flush::kRight, 64),
        d_(static_cast<size_t>(std::max<int64_t>(1, panels_ * c.k * nr * 2 * 2)), Flush::kRight, 64),
        partial(static_cast<size_t>(rounded_up(c.rows, 32) * nr) * sizeof(float), Flush::kRight, 64),
        x(c.rows, std::max(c.k, c.cols)),
        y(c.rows, c.cols, c.cols + 3),
        contribution(c.rows, c.cols),
        bias(1, c.cols) {
    Random random(static_cast<uint64_t>(c.rows * 1000 + c.cols + c.k));
    c.integers ? fill_integers(x, random, 4) : fill_uniform(x, random);
    c.integers ? fill_integers(bias, random, 4) : fill_uniform(bias, random);
    const Matrix D(std::max<int64_t>(c.k, 1), c.cols);
    c.integers ? fill_integers(D, random, 3) : fill_uniform(D, random, 0.1f);
    idelta::scalar::kTable.bf16_round_rows(
        {.rows = c.rows, .cols = c.k, .src = x.data(), .ld = x.ld(), .hi = x_hi(), .lo = x_lo(), .ldr = ldx_});
    for (int64_t p = 0; p < panels_; ++p) pack_panel(D, p);
  }

  Bf16Block block() const {
    return {.rows = c_.rows,
            .cols = c_.cols,
            .k = c_.k,
            .x_hi = x_hi(),
            .x_lo = x_lo(),
            .ldx = ldx_,
            .panels_hi = d_hi(),
            .panels_lo = d_hi() + panels_ * panel_words(),
            .panel_stride = panel_words(),
            .partial = static_cast<float*>(partial.data()),
            .epilogue = {.residual = x.data(),
                         .ld_residual = x.ld(),
                         .identity_scale = 0.5f,
                         .bias = c_.bias ? bias.data() : nullptr,
                         .activation = c_.activation,
                         .y = y.data(),
                         .ldy = y.ld(),
                         .contribution = c_.contribution ? contribution.data() : nullptr,
                         .ldc = contribution.ld()}};
  }

  bool surroundings_untouched() const {
    return y.surroundings_untouched() && contribution.surroundings_untouched() && partial.slack_untouched();
  }

 private:
  // The guard pages end where hi and lo of 16 n rows end: what is read further is a fault.
  uint16_t* x_hi() const { return static_cast<uint16_t*>(x_.data()); }
  uint16_t* x_lo() const { return x_hi() + rounded_up(c_.rows, 16) * ldx_; }
  uint32_t* d_hi() const { return static_cast<uint32_t*>(d_.data()); }
  int64_t panel_words() const { return c_.k / 2 * nr_; }

  void pack_panel(const Matrix& D, int64_t panel) const {
    std::vector<float> rows(static_cast<size_t>(c_.k * nr_), 0.0f);
    for (int64_t k = 0; k < c_.k; ++k) {
      for (int64_t j = 0; j < std::min(nr_, c_.cols - panel * nr_); ++j) {
        rows[static_cast<size_t>(k * nr_ + j)] = D(k, panel * nr_ + j);
      }
    }
    uint32_t* const hi = d_hi() + panel * panel_words();
    idelta::scalar::kTable.bf16_round_panel({.rows = c_.k,
                                             .cols = nr_,
                                             .src = rows.data(),
                                             .ld = nr_,
                                             .width = nr_,
                                             .hi = hi,
                                             .lo = hi + panels_ * panel_words()});
  }

  Case c_;
  int64_t nr_, ldx_, panels_;
  GuardBuffer x_, d_;

 public:
  GuardBuffer partial;
  Matrix x, y, contribution, bias;
};

void multiply(bool split, const Bf16Block& block) {
  if (split) {
    idelta::amx::multiply<idelta::amx::Bf16Product<true>, EmulatedTiles, Vector>(block);
  } else {
    idelta::amx::multiply<idelta::amx::Bf16Product<false>, EmulatedTiles, Vector>(block);
  }
}

// Both sums of n terms, each within gamma(roundings) of the exact one. Every |term| is at most 0.1; tanh does not
// widen.
double bound(const Case& c) {
  return c.integers ? 0.0 : 2.0 * 0x1p-24 * (3.0 * double(c.k) + 8) * (0.1 * double(c.k) + 2);
}

void check(const Case& c) {
  SCOPED_TRACE(::testing::PrintToString(c));
  const Operands tiles(c, kColumns), reference(c, idelta::scalar::kTable.bf16_dot.nr);
  multiply(c.split, tiles.block());
  (c.split ? idelta::scalar::kTable.bf16x3_dot : idelta::scalar::kTable.bf16_dot)(reference.block());
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; ++j) {
      ASSERT_NEAR(reference.y(i, j), tiles.y(i, j), bound(c)) << i << ", " << j;
      if (c.contribution) {
        ASSERT_NEAR(reference.contribution(i, j), tiles.contribution(i, j), bound(c)) << i << ", " << j;
      }
    }
  }
  EXPECT_TRUE(tiles.surroundings_untouched());
  EXPECT_TRUE(c.contribution || tiles.contribution.untouched());
}

TEST(Tiles, EveryRowCountAndEdge) {
  for (int64_t rows = 1; rows <= 70; ++rows) {
    for (const int64_t cols : {1, 31, 32, 33, 65}) check({rows, cols, 64, rows % 2 == 0});
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// Less than a slice, a slice, more than one that does not divide evenly; and none at all.
TEST(Tiles, EveryLengthOfTheReduction) {
  for (const int64_t k : {0, 32, 64, 352, 384, 416, 800, 1184}) {
    for (const int64_t rows : {1, 16, 17, 32, 33, 48, 97}) {
      for (const bool split : {false, true}) check({rows, 70, k, split});
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Tiles, IntegersAreExact) {
  for (const int64_t rows : {5, 40, 64}) {
    for (const int64_t k : {32, 800}) {
      for (const bool split : {false, true})
        check({.rows = rows, .cols = 50, .k = k, .split = split, .integers = true});
    }
  }
}

TEST(Tiles, EveryOption) {
  const idelta::ActivationArgs activations[] = {{1, 0, HUGE_VALF, false},
                                                {1, -1, 1, false},
                                                {0.125f, -HUGE_VALF, HUGE_VALF, false},
                                                {1, -HUGE_VALF, HUGE_VALF, true}};
  for (const idelta::ActivationArgs& activation : activations) {
    for (unsigned mask = 0; mask < 4; ++mask) {
      check({.rows = 35,
             .cols = 40,
             .k = 64,
             .split = false,
             .activation = activation,
             .bias = (mask & 1) != 0,
             .contribution = (mask & 2) != 0});
    }
  }
}

// A row's bits do not depend on how many others there are, nor on its place in a tile.
TEST(Tiles, EverySplitGivesTheBitsOfTheWhole) {
  for (const bool split : {false, true}) {
    const Case c{75, 40, 800, split};
    const Operands whole(c, kColumns), parts(c, kColumns);
    multiply(split, whole.block());
    for (int64_t first = 0, rows = 1; first < c.rows; first += rows, rows = std::min(2 * rows + 1, c.rows - first)) {
      Bf16Block block = parts.block();
      block.rows = rows;
      block.x_hi += first * block.ldx;
      block.x_lo += first * block.ldx;
      block.epilogue = block.epilogue.from(first, 0);
      multiply(split, block);
    }
    EXPECT_EQ(whole.y.element_bits(), parts.y.element_bits());
    EXPECT_EQ(whole.contribution.element_bits(), parts.contribution.element_bits());
  }
}

// ---- Dispatch ----------------------------------------------------------------------------------------------------

using idelta::core::amx_state;
using idelta::core::AmxOffer;

TEST(AmxDispatch, EveryMissingPieceIsNamed) {
  const AmxOffer whole{.tiles = true, .bf16 = true, .int8 = true, .saved = true, .palettes = 1};
  const auto yes = [] { return true; };
  const auto never = []() -> bool { throw std::logic_error("asked although something else is missing"); };
  EXPECT_TRUE(amx_state(whole, yes).usable);
  const auto missing = [&](auto spoil, const char* word) {
    AmxOffer offer = whole;
    spoil(offer);
    const idelta::core::AmxState state = amx_state(offer, never);
    EXPECT_FALSE(state.usable) << word;
    EXPECT_NE(std::string::npos, state.text.find(word)) << state.text;
  };
  missing([](AmxOffer& o) { o.tiles = false; }, "not offered");
  missing([](AmxOffer& o) { o.bf16 = false; }, "without bf16");
  missing([](AmxOffer& o) { o.saved = false; }, "does not save");
  missing([](AmxOffer& o) { o.palettes = 0; }, "palette");
  const idelta::core::AmxState refused = amx_state(whole, [] { return false; });
  EXPECT_FALSE(refused.usable);
  EXPECT_NE(std::string::npos, refused.text.find("refuses permission")) << refused.text;
}

}  // namespace
}  // namespace idelta_test
