// Where sums wait (kernels.h, Sums), for every kernel of forward and backward_data of this machine: sums that lie in
// rows or panel by panel are gone on from, and left there, to the bits of the scalar kernel, and nothing is touched
// beside them. AMX runs on emulated tiles and within a bound.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "kernels/amx/multiply.h"
#include "kernels/scalar/vector.h"
#include "src/core/machine/dispatch.h"
#include "support/guard_buffer.h"
#include "support/random.h"
#include "support/tile_engine.h"

namespace idelta_test {
namespace {

using idelta::Bf16Block;
using idelta::ForwardTile;
using idelta::Kernel;
using idelta::kPairLine;
using idelta::Sums;

int64_t rounded_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Sums of rows x panels of nr columns, as a matrix has them or one panel after the other. They end at a guard page.
struct Waiting {
  int64_t rows, nr;
  bool in_rows;
  Matrix memory;

  Waiting(int64_t row_count, int64_t panels, int64_t panel_width, bool as_rows)
      : rows(row_count),
        nr(panel_width),
        in_rows(as_rows),
        memory(as_rows ? Matrix(row_count, panels * panel_width, panels * panel_width + 3)
                       : Matrix(panels * row_count, panel_width)) {}

  Sums sums() const { return {memory.data(), memory.ld(), in_rows ? nr : rows * nr}; }
  float& at(int64_t i, int64_t j) const { return in_rows ? memory(i, j) : memory(j / nr * rows + i, j % nr); }
};

// x, D, the bias and the outputs of a case; D packed for panels of nr columns.
struct Operands {
  int64_t rows, cols, k, nr, panels;
  Matrix x, D, bias, y, packed, rounded_x, first_sums;
  int64_t panel_words;

  Operands(int64_t row_count, int64_t col_count, int64_t steps, const auto& kernel)
      : rows(row_count),
        cols(col_count),
        k(steps),
        nr(kernel.nr),
        panels((cols + nr - 1) / nr),
        x(rows + kernel.rows_past_last, std::max({k, cols, int64_t{1}})),
        D(std::max<int64_t>(k, 1), cols),
        bias(1, cols),
        y(rows, cols, cols + 1),
        packed(1, std::max<int64_t>(1, panels * rounded_up(k, kPairLine) * nr)),
        rounded_x(rows + kernel.rows_past_last, rounded_up(std::max<int64_t>(k, 1), kPairLine)),
        first_sums(rows, cols),
        panel_words(rounded_up(k, kPairLine) / kernel.kr * nr) {
    uint64_t seed = static_cast<uint64_t>(rows * 10000 + cols * 100 + k);
    for (const Matrix* each : {&D, &bias, &first_sums, &x}) {  // rows of x past the last one change no other number
      Random random(++seed);
      fill_uniform(*each, random);
    }
    idelta::scalar::kTable.bf16_round_rows({.rows = x.rows(),
                                            .cols = k,
                                            .src = x.data(),
                                            .ld = x.ld(),
                                            .hi = halves(),
                                            .lo = nullptr,
                                            .ldr = 2 * rounded_x.ld()});
    fill(packed, [] { return 0.0f; });
    for (int64_t p = 0; p < panels; ++p) pack_panel(p, kernel.kr);
  }

  uint16_t* halves() const { return reinterpret_cast<uint16_t*>(rounded_x.data()); }

  void pack_panel(int64_t p, int64_t kr) const {
    float* const words = packed.data() + p * panel_words;
    const int64_t few = std::min(nr, cols - p * nr);
    const float* const src = D.data() + p * nr;
    if (kr == 1) {
      idelta::scalar::kTable.f32_pack_panel(
          {.rows = k, .cols = few, .src = src, .ld = D.ld(), .width = nr, .dst = words});
    } else {
      idelta::scalar::kTable.bf16_round_panel({.rows = k,
                                               .cols = few,
                                               .src = src,
                                               .ld = D.ld(),
                                               .width = nr,
                                               .hi = reinterpret_cast<uint32_t*>(words),
                                               .lo = nullptr});
    }
  }

  Waiting start(bool in_rows) const {
    Waiting w(rows, panels, nr, in_rows);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < panels * nr; ++j) w.at(i, j) = j < cols ? first_sums(i, j) : 7.0f;
    }
    return w;
  }

  idelta::Epilogue epilogue() const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return {.residual = x.data(),
            .ld_residual = x.ld(),
            .identity_scale = 0.5f,
            .bias = bias.data(),
            .activation = {1, -kInfinity, kInfinity, false},
            .y = y.data(),
            .ldy = y.ld(),
            .contribution = nullptr,
            .ldc = 0,
            .fetch_y = false};
  }

  // Reduction steps [begin, end), of which begin begins a word.
  ForwardTile tile(int64_t begin, int64_t end, int64_t kr, const Sums& from, const Sums& to) const {
    return {.rows = rows,
            .cols = cols,
            .k = end - begin,
            .x = x.data() + begin,
            .ldx = x.ld(),
            .panels = idelta::words_of(packed.data()) + begin / kr * nr,
            .panel_stride = panel_words,
            .start = from,
            .suspend = to,
            .fetch = {},
            .epilogue = epilogue()};
  }

  Bf16Block block(const Sums& from, float* partial) const {
    return {.rows = rows,
            .cols = cols,
            .k = rounded_up(k, kPairLine),
            .x_hi = halves(),
            .x_lo = nullptr,
            .ldx = 2 * rounded_x.ld(),
            .panels_hi = idelta::words_of(packed.data()),
            .panels_lo = nullptr,
            .panel_stride = panel_words,
            .start = from,
            .partial = partial,
            .fetch_panels = false,
            .epilogue = epilogue()};
  }
};

std::vector<int64_t> column_counts(int64_t nr) { return {1, nr / 2, nr / 2 + 1, nr - 1, nr, nr + 1, 3 * nr + 5}; }

std::string described(const Operands& o, bool in_rows) {
  return std::to_string(o.rows) + " x " + std::to_string(o.cols) + " k " + std::to_string(o.k) +
         (in_rows ? ", in rows" : ", in panels");
}

// ---- Tiles of rows -----------------------------------------------------------------------------------------------

// The scalar kernel on the same operands, from the same sums, some rows at a time.
std::vector<uint32_t> scalar_bits(const Kernel<ForwardTile>& scalar, int64_t rows, int64_t cols, int64_t k,
                                  bool starts) {
  const Operands o(rows, cols, k, scalar);
  const Waiting start = o.start(true);
  for (int64_t i = 0; i < rows; i += scalar.mr) {
    ForwardTile t = o.tile(0, k, scalar.kr, starts ? start.sums().from(i, 0) : Sums{}, {});
    t.rows = std::min<int64_t>(scalar.mr, rows - i);
    t.x += i * t.ldx;
    t.epilogue.advance(i, 0);
    scalar(t);
  }
  return o.y.element_bits();
}

void check_tile(const Kernel<ForwardTile>& kernel, const Kernel<ForwardTile>& scalar, int64_t rows, int64_t cols,
                int64_t k) {
  const Operands o(rows, cols, k, kernel);
  for (const bool in_rows : {true, false}) {
    SCOPED_TRACE(described(o, in_rows));
    kernel(o.tile(0, k, kernel.kr, o.start(in_rows).sums(), {}));
    ASSERT_EQ(scalar_bits(scalar, rows, cols, k, true), o.y.element_bits()) << "started";

    // Left after some steps, gone on from: the bits of the whole.
    const Waiting between(rows, o.panels, o.nr, in_rows);
    const int64_t some = k / 2 / kernel.kr * kernel.kr;
    fill(o.y, [] { return 9.0f; });
    kernel(o.tile(0, some, kernel.kr, {}, between.sums()));
    for (const uint32_t untouched : o.y.element_bits()) ASSERT_EQ(bits(9.0f), untouched) << "finished, not left";
    kernel(o.tile(some, k, kernel.kr, between.sums(), {}));
    ASSERT_EQ(scalar_bits(scalar, rows, cols, k, false), o.y.element_bits()) << "suspended";
    EXPECT_TRUE(between.memory.surroundings_untouched() && o.y.surroundings_untouched());
  }
}

void check_tiles(Kernel<ForwardTile> idelta::KernelTable::*slot) {
  for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) {
    const Kernel<ForwardTile>& kernel = row.table->*slot;
    if (!kernel.run || !idelta::core::has(idelta::core::cpu_features().set, row.needs)) continue;
    SCOPED_TRACE(row.name);
    for (int64_t rows = 1; rows <= kernel.mr; ++rows) {
      for (const int64_t cols : column_counts(kernel.nr)) {
        for (const int64_t k : {0, 1, 2, 37}) check_tile(kernel, idelta::scalar::kTable.*slot, rows, cols, k);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(Sums, F32Forward) { check_tiles(&idelta::KernelTable::f32_forward); }
TEST(Sums, Bf16Forward) { check_tiles(&idelta::KernelTable::bf16_forward); }

// ---- Blocks of rows ----------------------------------------------------------------------------------------------

struct Dot {
  std::string name;
  Kernel<Bf16Block> kernel;
  float error;
};

std::vector<Dot> dots() {
  std::vector<Dot> all;
  for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) {
    Kernel<Bf16Block> kernel = row.table->bf16_dot;
    if (!kernel.run) continue;
    const bool tiles = row.isa == IDELTA_ISA_AMX;
    if (tiles) kernel.run = idelta::amx::multiply<idelta::amx::Bf16Product<false>, EmulatedTiles, Vector>;
    if (tiles || idelta::core::has(idelta::core::cpu_features().set, row.needs)) {
      all.push_back({row.name, kernel, tiles ? 1e-4f : 0.0f});
    }
  }
  return all;
}

void check_block(const Dot& dot, int64_t rows, int64_t cols, int64_t k) {
  const Kernel<Bf16Block>& scalar = idelta::scalar::kTable.bf16_dot;
  const Operands o(rows, cols, k, dot.kernel), expected(rows, cols, k, scalar);
  scalar(expected.block(expected.start(true).sums(), nullptr));
  std::vector<float> partial(static_cast<size_t>(rounded_up(rows, 32) * o.nr), std::numeric_limits<float>::quiet_NaN());
  for (const bool in_rows : {true, false}) {
    SCOPED_TRACE(dot.name + ", " + described(o, in_rows));
    const Waiting start = o.start(in_rows);
    dot.kernel(o.block(start.sums(), partial.data()));
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) ASSERT_NEAR(expected.y(i, j), o.y(i, j), dot.error) << i << ", " << j;
    }
    EXPECT_TRUE(start.memory.surroundings_untouched() && o.y.surroundings_untouched());
  }
}

TEST(Sums, Bf16Dot) {
  for (const Dot& dot : dots()) {
    for (const int64_t rows : {1, 5, 14, 15, 16, 17, 31, 32, 33, 48, 49, 70}) {
      for (const int64_t cols : column_counts(dot.kernel.nr)) {
        for (const int64_t k : {0, 32, 37, 800}) check_block(dot, rows, cols, k);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
