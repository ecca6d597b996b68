// Products of int8: every kernel gives the bits of the scalar one over every edge of tiles and panels, with weights and
// rows at the ends of their ranges. AMX runs on emulated tiles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/amx/multiply.h"
#include "kernels/scalar/vector.h"
#include "support/guard_buffer.h"
#include "support/kernels.h"
#include "support/random.h"
#include "support/tile_engine.h"

namespace idelta_test {
namespace {

using idelta::Int8Block;
using idelta::Kernel;
using idelta::Sums;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Shape {
  int64_t rows, cols, k;
};

// Weights by column and step, and bytes of rows, as a case wants them.
struct Numbers {
  Shape shape;
  std::vector<uint8_t> x;
  std::vector<int8_t> q;
  std::vector<float> row_scales, scales;

  explicit Numbers(const Shape& s)
      : shape(s),
        x(static_cast<size_t>(s.rows * s.k)),
        q(static_cast<size_t>(s.k * s.cols)),
        row_scales(static_cast<size_t>(s.rows)),
        scales(static_cast<size_t>(s.cols)) {
    Random random(static_cast<uint64_t>(s.rows * 10000 + s.cols * 100 + s.k));
    for (uint8_t& each : x) each = static_cast<uint8_t>(1 + random.below(255));
    for (int8_t& each : q) each = static_cast<int8_t>(random.below(127) - 63);
    for (float& each : row_scales) each = random.uniform(0.001f, 0.1f);
    for (float& each : scales) each = random.uniform(0.0f, 0.01f);
  }
  int64_t sum(int64_t i, int64_t j) const {
    int64_t sum = 0;
    for (int64_t p = 0; p < shape.k; ++p) {
      sum += (x[static_cast<size_t>(i * shape.k + p)] - 128) * q[static_cast<size_t>(p * shape.cols + j)];
    }
    return sum;
  }
};

struct Options {
  idelta::ActivationArgs activation = {1, -kInfinity, kInfinity, false};
  bool bias = true, contribution = true, fetch = false;
};
enum class Start { kNone, kRows, kPanels };

// The operands of a product in memory that ends at guard pages, and its results.
class Product {
 public:
  Product(const Numbers& n, const Kernel<Int8Block>& kernel, Start start = Start::kNone, const Options& options = {})
      : shape_(n.shape),
        nr_(kernel.nr),
        panels_((shape_.cols + nr_ - 1) / nr_),
        panel_words_(shape_.k / 4 * nr_),
        x_(static_cast<size_t>((shape_.rows + std::max<int64_t>(kernel.rows_past_last, 1) - 1) * shape_.k),
           Flush::kRight, 64),
        row_scales_(1, shape_.rows),
        scales_(1, panels_ * nr_),
        residual_(shape_.rows, shape_.cols, shape_.cols + 1),
        bias_(1, shape_.cols),
        start_(shape_.rows * panels_, nr_),
        q_(static_cast<size_t>(panels_ * panel_words_ * 4), Flush::kRight, 64),
        offsets_(static_cast<size_t>(panels_ * nr_ * 4), Flush::kRight, 64),
        partial_(static_cast<size_t>(rounded_up(shape_.rows, 32) * nr_ * 4), Flush::kRight, 64),
        y(shape_.rows, shape_.cols, shape_.cols + 2),
        contribution(shape_.rows, shape_.cols, shape_.cols + 2) {
    std::copy(n.x.begin(), n.x.end(), static_cast<uint8_t*>(x_.data()));
    pack(n);
    Random random(3);
    fill_uniform(residual_, random);
    fill_uniform(bias_, random);
    kernel(block(start, options));
    EXPECT_TRUE(y.surroundings_untouched() && contribution.surroundings_untouched() && partial_.slack_untouched());
    EXPECT_TRUE(options.contribution || contribution.untouched());
  }

  float started(int64_t i, int64_t j) const { return std::sin(static_cast<float>(i * 100 + j)); }
  float residual(int64_t i, int64_t j) const { return residual_(i, j); }
  float bias(int64_t j) const { return bias_(0, j); }

 private:
  void pack(const Numbers& n) const {
    auto* const bytes = static_cast<int8_t*>(q_.data());
    auto* const offsets = static_cast<int32_t*>(offsets_.data());
    std::memset(bytes, 0, q_.bytes());
    for (int64_t j = 0; j < panels_ * nr_; ++j) {
      uint32_t offset = 0;
      for (int64_t p = 0; p < shape_.k && j < shape_.cols; ++p) {
        const int8_t q = n.q[static_cast<size_t>(p * shape_.cols + j)];
        bytes[(j / nr_ * panel_words_ + p / 4 * nr_ + j % nr_) * 4 + p % 4] = q;
        offset += static_cast<uint32_t>(128 * q);
      }
      offsets[j] = static_cast<int32_t>(offset);
      scales_(0, j) = j < shape_.cols ? n.scales[static_cast<size_t>(j)] : 0.0f;
    }
    for (int64_t i = 0; i < shape_.rows; ++i) row_scales_(0, i) = n.row_scales[static_cast<size_t>(i)];
  }

  Int8Block block(Start start, const Options& options) {
    const bool in_rows = start == Start::kRows;
    for (int64_t i = 0; i < shape_.rows; ++i) {
      for (int64_t j = 0; j < panels_ * nr_; ++j) {
        const int64_t at = in_rows ? i * panels_ * nr_ + j : (j / nr_ * shape_.rows + i) * nr_ + j % nr_;
        start_.data()[at] = started(i, j);
      }
    }
    Sums sums;
    if (start != Start::kNone) {
      sums = {start_.data(), in_rows ? panels_ * nr_ : nr_, in_rows ? nr_ : shape_.rows * nr_};
    }
    return {.rows = shape_.rows,
            .cols = shape_.cols,
            .k = shape_.k,
            .x = static_cast<const uint8_t*>(x_.data()),
            .ldx = shape_.k,
            .row_scales = row_scales_.data(),
            .panels = static_cast<const idelta::Word*>(q_.data()),
            .panel_stride = panel_words_,
            .scales = scales_.data(),
            .offsets = static_cast<const int32_t*>(offsets_.data()),
            .start = sums,
            .partial = static_cast<idelta::Word*>(partial_.data()),
            .fetch_panels = options.fetch,
            .epilogue = {.residual = residual_.data(),
                         .ld_residual = residual_.ld(),
                         .identity_scale = 0.5f,
                         .bias = options.bias ? bias_.data() : nullptr,
                         .activation = options.activation,
                         .y = y.data(),
                         .ldy = y.ld(),
                         .contribution = options.contribution ? contribution.data() : nullptr,
                         .ldc = contribution.ld(),
                         .fetch_y = options.fetch}};
  }

  Shape shape_;
  int64_t nr_, panels_, panel_words_;
  GuardBuffer x_;
  Matrix row_scales_, scales_, residual_, bias_, start_;
  GuardBuffer q_, offsets_, partial_;

 public:
  Matrix y, contribution;
};

std::vector<Named<Int8Block>> dots() {
  std::vector<Named<Int8Block>> all = kernels_of(&idelta::KernelTable::int8_dot);
  for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) {
    Kernel<Int8Block> tiles = row.table->int8_dot;
    if (row.isa != IDELTA_ISA_AMX || !tiles.run) continue;
    tiles.run = idelta::amx::multiply<idelta::amx::Int8Product, EmulatedTiles, Vector>;
    all.push_back({"emulated " + std::string(row.name), tiles});
  }
  return all;
}

void expect_scalar_bits(const Named<Int8Block>& dot, const Numbers& numbers, Start start, const Options& options = {}) {
  const Product expected(numbers, idelta::scalar::kTable.int8_dot, start, options);
  const Product actual(numbers, dot.kernel, start, options);
  const Shape& s = numbers.shape;
  SCOPED_TRACE(dot.name + ", " + std::to_string(s.rows) + " x " + std::to_string(s.cols) + " k " + std::to_string(s.k));
  ASSERT_EQ(expected.y.element_bits(), actual.y.element_bits());
  ASSERT_EQ(expected.contribution.element_bits(), actual.contribution.element_bits());
}

// The scalar kernel itself, against the formula of kernels.h.
TEST(Int8Dot, IsTheFormula) {
  const Numbers n({5, 21, 128});
  for (const Start start : {Start::kNone, Start::kRows, Start::kPanels}) {
    const Product p(n, idelta::scalar::kTable.int8_dot, start);
    for (int64_t i = 0; i < 5; ++i) {
      for (int64_t j = 0; j < 21; ++j) {
        const float scale = n.row_scales[static_cast<size_t>(i)] * n.scales[static_cast<size_t>(j)];
        const float from = start == Start::kNone ? 0.0f : p.started(i, j);
        const float contribution = std::fma(scale, static_cast<float>(n.sum(i, j)), from) + p.bias(j);
        ASSERT_EQ(contribution, p.contribution(i, j)) << i << ", " << j;
        ASSERT_EQ(std::fma(0.5f, p.residual(i, j), contribution), p.y(i, j)) << i << ", " << j;
      }
    }
  }
}

TEST(Int8Dot, EveryEdge) {
  for (const Named<Int8Block>& dot : dots()) {
    const int64_t nr = dot.kernel.nr;
    for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 15, 16, 17, 31, 32, 33, 48, 70}) {
      for (const int64_t cols : {int64_t{1}, nr / 2, nr / 2 + 1, nr - 1, nr, nr + 1, 3 * nr + 5}) {
        for (const int64_t k : {0, 64, 320}) {
          const Numbers numbers({rows, cols, k});
          for (const Start start : {Start::kNone, Start::kRows, Start::kPanels})
            expect_scalar_bits(dot, numbers, start);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

// More than one slice of AMX's panels, and one that does not divide evenly.
TEST(Int8Dot, LongReductions) {
  for (const Named<Int8Block>& dot : dots()) {
    for (const int64_t k : {704, 768, 832, 1600, 2368}) {
      for (const int64_t rows : {1, 16, 33, 97}) expect_scalar_bits(dot, Numbers({rows, 40, k}), Start::kRows);
    }
  }
}

// vpmaddubsw saturates at 2 * 255 * 65: products at the ends of the ranges must not.
TEST(Int8Dot, TheEndsOfTheRangesAreExact) {
  for (const Named<Int8Block>& dot : dots()) {
    for (const uint8_t x : {1, 255}) {
      for (const int8_t q : {-63, 63}) {
        Numbers numbers({17, 35, 1024});
        std::fill(numbers.x.begin(), numbers.x.end(), x);
        std::fill(numbers.q.begin(), numbers.q.end(), q);
        std::fill(numbers.row_scales.begin(), numbers.row_scales.end(), 1.0f);
        std::fill(numbers.scales.begin(), numbers.scales.end(), 1.0f);
        expect_scalar_bits(dot, numbers, Start::kNone);
        const Product product(numbers, dot.kernel, Start::kNone, {.bias = false});
        EXPECT_EQ(static_cast<float>(1024 * (x - 128) * q), product.contribution(16, 34)) << dot.name;
      }
    }
  }
}

// The offset is zero, and 255 * 63 * kHalf is beyond 2^31: the sum wraps and comes back.
TEST(Int8Dot, SumsWrapOnTheirWay) {
  constexpr int64_t kHalf = 133760;
  Numbers numbers({1, 1, 2 * kHalf});
  std::fill(numbers.x.begin(), numbers.x.begin() + kHalf, uint8_t{255});
  std::fill(numbers.x.begin() + kHalf, numbers.x.end(), uint8_t{1});
  std::fill(numbers.q.begin(), numbers.q.begin() + kHalf, int8_t{63});
  std::fill(numbers.q.begin() + kHalf, numbers.q.end(), int8_t{-63});
  numbers.row_scales = numbers.scales = {1.0f};
  for (const Named<Int8Block>& dot : dots()) {
    const Product product(numbers, dot.kernel, Start::kNone, {.bias = false});
    EXPECT_EQ(static_cast<float>(127 * 63 * 2 * kHalf), product.contribution(0, 0)) << dot.name;
  }
}

TEST(Int8Dot, ScalesThatVanishUnderflowAndAreNaN) {
  for (const Named<Int8Block>& dot : dots()) {
    Numbers numbers({6, 40, 64});
    numbers.row_scales = {0.0f, 1e-30f, std::numeric_limits<float>::quiet_NaN(), 1e30f, 0x1p-126f, 1.0f};
    for (size_t j = 0; j < 40; ++j) numbers.scales[j] = j % 4 == 0 ? 0.0f : std::ldexp(1.0f, -int(3 * j));
    for (const Start start : {Start::kNone, Start::kRows}) expect_scalar_bits(dot, numbers, start);
  }
}

TEST(Int8Dot, EveryOption) {
  const idelta::ActivationArgs activations[] = {{1, 0, kInfinity, false},
                                                {1, -1, 1, false},
                                                {0.125f, -kInfinity, kInfinity, false},
                                                {1, -kInfinity, kInfinity, true}};
  for (const Named<Int8Block>& dot : dots()) {
    for (const idelta::ActivationArgs& activation : activations) {
      for (unsigned mask = 0; mask < 8; ++mask) {
        expect_scalar_bits(dot, Numbers({37, 70, 128}), Start::kNone,
                           {activation, (mask & 1) != 0, (mask & 2) != 0, (mask & 4) != 0});
        expect_scalar_bits(dot, Numbers({3, 150, 128}), Start::kPanels,
                           {activation, (mask & 1) != 0, (mask & 2) != 0, (mask & 4) != 0});
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
