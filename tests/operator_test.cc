// Operators called as formats call each other: rectangular, with a residual of its own, and going on from sums that are
// there already (Multiplication::start).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "src/core/formats/delta.h"
#include "src/core/formats/f32.h"
#include "src/core/formats/list.h"
#include "support/low_rank.h"

namespace idelta_test {
namespace {

using idelta::core::F32Operator;
using idelta::core::format_for;
using idelta::core::kIdentityActivation;
using idelta::core::MatrixView;
using idelta::core::Multiplication;
using idelta::core::Operator;
using idelta::core::Packed;

// Contexts of every ISA of this machine and both products of bf16, of one thread and of three.
template <class Use>
void each_context(const Use& use) {
  for (const idelta_isa isa : {IDELTA_ISA_SCALAR, IDELTA_ISA_AVX2, IDELTA_ISA_AVX512, IDELTA_ISA_AMX}) {
    for (const idelta_bf16_product product : {IDELTA_BF16_PRODUCT_WIDENED, IDELTA_BF16_PRODUCT_ROUNDED}) {
      for (const int32_t threads : {1, 3}) {
        idelta_context_options options = context_options(isa, threads);
        options.bf16_product = product;
        idelta_context* context = nullptr;
        if (idelta_context_create(&options, &context) != IDELTA_OK) continue;
        const ContextPtr owner(context);
        SCOPED_TRACE(std::string(idelta_isa_name(isa)) + ", " + idelta_bf16_product_name(product) + ", " +
                     std::to_string(threads) + " threads");
        use(owner);
      }
    }
  }
}

struct Outputs {
  Matrix y, contribution;
  Outputs(int64_t m, int64_t cols) : y(m, cols, cols + 2), contribution(m, cols) {}
};

// y = act(a residual + start + rows B + b) and the contribution, of rows [first, last).
void run(const ContextPtr& context, const Operator& op, const Matrix& rows, const Matrix& residual, const float* bias,
         const Outputs& out, idelta::core::Start start = {}, int64_t first = 0, int64_t last = -1, int64_t strips = 0) {
  if (last < 0) last = rows.rows();
  if (start.at) start.at += first * start.ld;
  Multiplication call{.m = last - first,
                      .rows = {.src = rows.data() + first * rows.ld(), .ld = rows.ld()},
                      .epilogue = {.residual = residual.data() + first * residual.ld(),
                                   .ld_residual = residual.ld(),
                                   .identity_scale = 0.5f,
                                   .bias = bias,
                                   .activation = kIdentityActivation,
                                   .y = &out.y(first, 0),
                                   .ldy = out.y.ld(),
                                   .contribution = &out.contribution(first, 0),
                                   .ldc = out.contribution.ld()},
                      .start = start};
  if (strips > 0) {
    call.strips = strips;
    return op.multiply(*context, call);  // for so many strips nobody can ask what they need
  }
  // Exactly the workspace that is asked for.
  const size_t bytes = op.workspace_bytes(*context, call.m);
  const GuardBuffer workspace(bytes, Flush::kRight, 64);
  call.workspace = {workspace.data(), bytes};
  op.multiply(*context, call);
  EXPECT_TRUE(workspace.slack_untouched());
  EXPECT_TRUE(out.y.surroundings_untouched() && out.contribution.surroundings_untouched());
}

// Rows of whole panels of any width; what lies past the last column is nobody's.
Matrix padded(const ContextPtr& context, int64_t m, int64_t cols) {
  const idelta::KernelTable& kernels = context->kernels;
  const int64_t nr = std::max({kernels.bf16_dot.nr, kernels.f32_forward.nr, kernels.int8_dot.nr});
  return {m, (cols + nr - 1) / nr * nr};
}

struct Shape {
  int64_t m, k, cols;
};
constexpr Shape kShapes[] = {{1, 1, 1},     {1, 40, 3},    {7, 5, 33},   {15, 33, 16},
                             {40, 100, 17}, {130, 20, 70}, {61, 70, 20}, {33, 64, 64}};

TEST(F32Operator, RectanglesWithAResidualOfTheirOwn) {
  each_context([](const ContextPtr& context) {
    for (const auto& [m, k, cols] : kShapes) {
      SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(k) + " x " + std::to_string(cols));
      Random random(static_cast<uint64_t>(m + k));
      const Matrix B(k, cols, cols + 3), rows(m, k, k + 1), residual(m, cols, cols + 4), bias(1, cols);
      fill_uniform(B, random), fill_uniform(rows, random), fill_uniform(residual, random), fill_uniform(bias, random);
      const F32Operator op(*context, {B.data(), B.ld()}, k, cols);
      const Outputs out(m, cols);
      run(context, op, rows, residual, bias.data(), out);
      const std::vector<float> sums = chain(elements(rows), m, k, elements(B), cols);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < cols; ++j) {
          const float sum = sums[static_cast<size_t>(i * cols + j)] + bias(0, j);
          ASSERT_EQ(bits(sum), bits(out.contribution(i, j))) << i << ", " << j;
          ASSERT_EQ(0.5f * residual(i, j) + sum, out.y(i, j)) << i << ", " << j;
        }
      }
    }
  });
}

TEST(F32Operator, WithoutAReductionTheResidualAndTheStartAreLeft) {
  each_context([](const ContextPtr& context) {
    const int64_t m = 9, cols = 35;
    Random random(1);
    const Matrix rows(m, 1), residual(m, cols), start = padded(context, m, cols);
    fill_uniform(rows, random), fill_uniform(residual, random), fill_uniform(start, random);
    const float nothing = 0;
    const F32Operator op(*context, {&nothing, cols}, 0, cols);
    const Outputs out(m, cols), from(m, cols);
    run(context, op, rows, residual, nullptr, out);
    run(context, op, rows, residual, nullptr, from, {start.data(), start.ld()});
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        ASSERT_EQ(0.5f * residual(i, j), out.y(i, j));
        ASSERT_EQ(start(i, j), from.contribution(i, j));
      }
    }
  });
}

// Two calls, the second of which starts from the sums of the first, give the bits of one.
TEST(F32Operator, AReductionInTwoCallsHasTheBitsOfOne) {
  each_context([](const ContextPtr& context) {
    for (const auto& [m, k, cols] : kShapes) {
      Random random(static_cast<uint64_t>(m + cols));
      const Matrix B(k, cols), rows(m, k), residual(m, cols), zero(m, cols), bias(1, cols);
      fill_uniform(B, random), fill_uniform(rows, random), fill_uniform(residual, random), fill_uniform(bias, random);
      fill(zero, [] { return 0.0f; });
      const Outputs whole(m, cols);
      run(context, F32Operator(*context, {B.data(), cols}, k, cols), rows, residual, bias.data(), whole);
      for (const int64_t cut : {k / 3, k / 2, k - 1}) {
        SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(k) + " x " + std::to_string(cols) + " cut after " +
                     std::to_string(cut));
        const F32Operator head(*context, {B.data(), cols}, cut, cols),
            tail(*context, {B.data() + cut * cols, cols}, k - cut, cols);
        const Outputs first(m, cols), both(m, cols);
        run(context, head, rows, zero, nullptr, first);
        const Matrix start = padded(context, m, cols), rest(m, k - cut);
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < cols; ++j) start(i, j) = first.contribution(i, j);
          for (int64_t p = cut; p < k; ++p) rest(i, p - cut) = rows(i, p);
        }
        run(context, tail, rest, residual, bias.data(), both, {start.data(), start.ld()});
        ASSERT_EQ(whole.contribution.element_bits(), both.contribution.element_bits());
        ASSERT_EQ(whole.y.element_bits(), both.y.element_bits());
      }
    }
  });
}

// ---- Every format that multiplies ---------------------------------------------------------------------------------

constexpr idelta_format kFormats[] = {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16, IDELTA_FORMAT_BF16X3,
                                      IDELTA_FORMAT_LOW_RANK, IDELTA_FORMAT_INT8};

// use(operator, format, D) of both directions.
template <class Use>
void each_operator(const ContextPtr& context, int64_t n, const Use& use) {
  for (const idelta_format id : kFormats) {
    Random random(static_cast<uint64_t>(n));
    const Matrix D(n, n);
    fill_delta(D, random);
    const int64_t rank = id == IDELTA_FORMAT_LOW_RANK ? (n + 1) / 2 : 0;
    const Packed packed = format_for(*context, id)->pack(*context, n, {D.data(), n}, {IDELTA_PASS_BOTH, 1, rank, 0});
    for (const Operator* op : {packed.forward.get(), packed.backward.get()}) {
      SCOPED_TRACE(std::string(idelta_format_name(id)) + " n " + std::to_string(n) +
                   (op == packed.forward.get() ? " forward" : " backward"));
      use(*op);
    }
  }
}

// What was there is added: exactly, where everything is a multiple of a power of two that fits.
TEST(Operators, GoOnFromTheSumsThatAreThere) {
  each_context([](const ContextPtr& context) {
    for (const int64_t n : {1, 16, 33, 70}) {
      each_operator(context, n, [&](const Operator& op) {
        for (const int64_t m : {1, 6, 40, 130}) {
          Random random(static_cast<uint64_t>(m));
          const Matrix rows(m, n), residual(m, n), start = padded(context, m, n);
          fill_uniform(rows, random), fill_uniform(residual, random), fill_uniform(start, random, 4);
          const Outputs from_zero(m, n), from_start(m, n);
          run(context, op, rows, residual, nullptr, from_zero);
          run(context, op, rows, residual, nullptr, from_start, {start.data(), start.ld()});
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t j = 0; j < n; ++j) {
              const double expected =
                  static_cast<double>(start(i, j)) + static_cast<double>(from_zero.contribution(i, j));
              const double terms = 8;  // |start| and more than any sum of |x||D|
              ASSERT_NEAR(expected, static_cast<double>(from_start.contribution(i, j)),
                          2 * kUnit * static_cast<double>(n + 2) * terms)
                  << "m " << m << ": " << i << ", " << j;
            }
          }
        }
      });
    }
  });
}

// The last product's chain starts there: to the bit, where the header promises chains.
TEST(Operators, LowRankStartsItsSecondChainThere) {
  each_context([](const ContextPtr& context) {
    const int64_t n = 37, m = 50, r = 9;
    Random random(2);
    const Matrix D(n, n), rows(m, n), residual(m, n), start = padded(context, m, n);
    fill_delta(D, random), fill_uniform(rows, random), fill_uniform(residual, random), fill_uniform(start, random);
    const DeltaPtr delta = pack(context, D, low_rank_options(r));
    const FactorPair f = unpacked_factors(context, delta);
    const Outputs out(m, n);
    run(context, *delta->packed.forward, rows, residual, nullptr, out, {start.data(), start.ld()});
    const std::vector<float> t = chain(elements(rows), m, n, elements(f.U), r), V = elements(f.V);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        float sum = start(i, j);
        for (int64_t p = 0; p < r; ++p) {
          sum = std::fma(t[static_cast<size_t>(i * r + p)], V[static_cast<size_t>(p * n + j)], sum);
        }
        ASSERT_EQ(bits(sum), bits(out.contribution(i, j))) << i << ", " << j;
      }
    }
  });
}

// A start and a residual of its own are moved on with the rows.
TEST(Operators, EverySplitOfTheRowsGivesTheBitsOfTheWhole) {
  each_context([](const ContextPtr& context) {
    for (const int64_t n : {17, 70}) {
      each_operator(context, n, [&](const Operator& op) {
        const int64_t m = 100;
        Random random(3);
        const Matrix rows(m, n), residual(m, n), bias(1, n), start = padded(context, m, n);
        fill_uniform(rows, random), fill_uniform(residual, random), fill_uniform(bias, random);
        fill_uniform(start, random);
        const idelta::core::Start from{start.data(), start.ld()};
        const Outputs whole(m, n), parts(m, n);
        run(context, op, rows, residual, bias.data(), whole, from);
        for (const auto& [first, last] : {std::pair{0, 1}, {1, 8}, {8, 45}, {45, 100}}) {
          run(context, op, rows, residual, bias.data(), parts, from, first, last);
        }
        ASSERT_EQ(whole.contribution.element_bits(), parts.contribution.element_bits());
        ASSERT_EQ(whole.y.element_bits(), parts.y.element_bits());
      });
    }
  });
}

// However the rows are cut over threads, by the cost model or otherwise.
TEST(Operators, EveryCutGivesTheSameBits) {
  each_context([](const ContextPtr& context) {
    const int64_t n = 201;
    each_operator(context, n, [&](const Operator& op) {
      for (const int64_t m : {4, 40, 130}) {
        Random random(5);
        const Matrix rows(m, n), residual(m, n), bias(1, n);
        fill_uniform(rows, random), fill_uniform(residual, random), fill_uniform(bias, random);
        const Outputs chosen(m, n);
        run(context, op, rows, residual, bias.data(), chosen);
        for (const int64_t strips : {1, 2, 3}) {
          const Outputs forced(m, n);
          run(context, op, rows, residual, bias.data(), forced, {}, 0, m, strips);
          ASSERT_EQ(chosen.contribution.element_bits(), forced.contribution.element_bits()) << m << ", " << strips;
          ASSERT_EQ(chosen.y.element_bits(), forced.y.element_bits()) << m << ", " << strips;
        }
      }
    });
  });
}

}  // namespace
}  // namespace idelta_test
