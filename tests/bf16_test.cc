// Format BF16 from outside: how it rounds, that widened it is F32 on the rounded D to the bit, that the two products
// are told apart, and what stands in for it where there are no kernels.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

ContextPtr context_with(idelta_bf16_product product) {
  idelta_context_options options = context_options();
  options.bf16_product = product;
  return make_context(options);
}

idelta_delta_options options_of(idelta_format format) {
  idelta_delta_options options = delta_options();
  options.format = format;
  return options;
}

Matrix unpacked(const ContextPtr& context, const DeltaPtr& delta, int64_t n) {
  Matrix D(n, n);
  EXPECT_OK(idelta_delta_unpack(context.get(), delta.get(), D.data(), n));
  return D;
}

// What both passes make of x.
std::vector<uint32_t> passes(const ContextPtr& context, const DeltaPtr& delta, const Matrix& x) {
  const Matrix y(x.rows(), x.cols()), dx(x.rows(), x.cols());
  const idelta_forward_args forward = forward_args(x, y);
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
  const idelta_backward_data_args backward = backward_data_args(x, x, dx);
  EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
  std::vector<uint32_t> all = y.element_bits();
  for (const uint32_t b : dx.element_bits()) all.push_back(b);
  return all;
}

struct Rounded {
  uint32_t from, to;
};

// Ties to even from both sides, just beside a tie, up to the next power of two, to Inf, subnormals, signs, NaN.
constexpr Rounded kRounded[] = {{0x3f808000, 0x3f800000}, {0x3f818000, 0x3f820000}, {0x3f808001, 0x3f810000},
                                {0x3f807fff, 0x3f800000}, {0x3fff8000, 0x40000000}, {0x3f800000, 0x3f800000},
                                {0x7f7f8000, 0x7f800000}, {0x7f7f7fff, 0x7f7f0000}, {0x7f800000, 0x7f800000},
                                {0xff800000, 0xff800000}, {0x00000000, 0x00000000}, {0x80000000, 0x80000000},
                                {0xbf818000, 0xbf820000}, {0x00808000, 0x00800000}, {0x80818000, 0x80820000}};

TEST(Bf16, RoundsToNearestEven) {
  const ContextPtr context = context_with(IDELTA_BF16_PRODUCT_WIDENED);
  for (const int64_t n : {1, 7, 16, 33}) {  // full vectors and edges
    for (const Rounded& r : kRounded) {
      const Matrix D(n, n);
      fill(D, [&] { return std::bit_cast<float>(r.from); });
      const Matrix back = unpacked(context, pack(context, D, options_of(IDELTA_FORMAT_BF16)), n);
      for (const uint32_t b : back.element_bits()) ASSERT_EQ(r.to, b) << std::hex << r.from << " n " << std::dec << n;
    }
  }
}

TEST(Bf16, NanStaysNan) {
  const ContextPtr context = make_context();
  for (const uint32_t payload : {0x7f800001u, 0xff80ffffu, 0x7fffffffu, 0x7fc00000u}) {
    const Matrix D(5, 5);
    fill(D, [&] { return std::bit_cast<float>(payload); });
    const Matrix back = unpacked(context, pack(context, D, options_of(IDELTA_FORMAT_BF16)), 5);
    for (int64_t i = 0; i < 5; ++i) EXPECT_TRUE(std::isnan(back(i, 4 - i))) << std::hex << payload;
  }
}

TEST(Bf16, WidenedIsF32OnTheRoundedDelta) {
  const ContextPtr context = context_with(IDELTA_BF16_PRODUCT_WIDENED);
  for (const int64_t n : {1, 2, 15, 16, 17, 31, 33, 64, 65, 97, reduced() ? 101 : 333}) {
    for (const int64_t m : {1, 2, 5, 9, reduced() ? 11 : 70}) {
      Random random(static_cast<uint64_t>(n * 100 + m));
      const Matrix D(n, n), x(m, n);
      fill_delta(D, random), fill_uniform(x, random);
      if (n > 40) {
        for (int64_t i = 0; i < n; ++i) D(i, 5) = D(i % 32, i) = 0;  // some of it skipped
      }
      const DeltaPtr bf16 = pack(context, D, options_of(IDELTA_FORMAT_BF16));
      const Matrix rounded = unpacked(context, bf16, n);
      const DeltaPtr f32 = pack(context, rounded, options_of(IDELTA_FORMAT_F32));
      ASSERT_EQ(passes(context, f32, x), passes(context, bf16, x)) << "m " << m << " n " << n;
    }
  }
}

// Half a unit in the last place of bf16 in x: seen by the product, not by the identity path.
TEST(Bf16, ProductsDifferInWhatTheyDoToX) {
  Random random(1);
  const Matrix D(40, 40), x(3, 40), y(3, 40);
  fill(D, [] { return 0.0f; });
  for (int64_t i = 0; i < 40; ++i) D(i, (i + 1) % 40) = 0.5f;
  fill(x, [] { return 1.0f + 0x1p-8f; });
  for (const bool rounded : {false, true}) {
    const ContextPtr context = context_with(rounded ? IDELTA_BF16_PRODUCT_ROUNDED : IDELTA_BF16_PRODUCT_WIDENED);
    const DeltaPtr delta = pack(context, D, options_of(IDELTA_FORMAT_BF16));
    const idelta_forward_args args = forward_args(x, y);
    ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
    const float product = rounded ? 0.5f : 0.5f + 0x1p-9f;
    for (int64_t j = 0; j < 40; ++j) ASSERT_EQ(1.0f + 0x1p-8f + product, y(2, j)) << j;
  }
}

TEST(Bf16, ADeltaOfTheOtherProductIsRefused) {
  const ContextPtr widened = context_with(IDELTA_BF16_PRODUCT_WIDENED),
                   rounded = context_with(IDELTA_BF16_PRODUCT_ROUNDED);
  const Matrix D(9, 9), x(1, 9), y(1, 9);
  Random random(2);
  fill_delta(D, random), fill_uniform(x, random);
  const idelta_forward_args args = forward_args(x, y);
  const DeltaPtr bf16 = pack(widened, D, options_of(IDELTA_FORMAT_BF16)),
                 f32 = pack(widened, D, options_of(IDELTA_FORMAT_F32));
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_forward(rounded.get(), bf16.get(), &args));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "bf16_product")) << idelta_last_error();
  EXPECT_TRUE(y.untouched());
  EXPECT_OK(idelta_forward(rounded.get(), f32.get(), &args));
}

TEST(Bf16, ProductIsChosenByOptionThenEnvironmentThenCpu) {
  const auto described = [](idelta_bf16_product product) {
    const ContextPtr context = context_with(product);
    const std::string text = idelta_context_describe(context.get());
    const size_t at = text.find("BF16     ");
    return text.substr(at + 9, text.find(':', at) - at - 9);
  };
  const std::string automatic = described(IDELTA_BF16_PRODUCT_AUTO);
  EXPECT_TRUE(automatic == "widened" || automatic == "x rounded") << automatic;
  for (int again = 0; again < 3; ++again) EXPECT_EQ(automatic, described(IDELTA_BF16_PRODUCT_AUTO));
  {
    const ScopedEnvironment forced("IDELTA_BF16", "rounded");
    EXPECT_EQ("x rounded", described(IDELTA_BF16_PRODUCT_AUTO));
    EXPECT_EQ("widened", described(IDELTA_BF16_PRODUCT_WIDENED));
  }
  {
    const ScopedEnvironment forced("IDELTA_BF16", "widened");
    EXPECT_EQ("widened", described(IDELTA_BF16_PRODUCT_AUTO));
    EXPECT_EQ("x rounded", described(IDELTA_BF16_PRODUCT_ROUNDED));
  }
  const ScopedEnvironment wrong("IDELTA_BF16", "fp8");
  idelta_context* context = nullptr;
  idelta_context_options options = context_options();
  options.bf16_product = IDELTA_BF16_PRODUCT_AUTO;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_context_create(&options, &context));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "fp8")) << idelta_last_error();
}

// Never less accurate than what was asked for.
TEST(Bf16, ThreeProductsFallBackToF32WithoutTiles) {
  if (forced_isa() > IDELTA_ISA_AVX512) GTEST_SKIP() << "this ISA has tiles";
  const ContextPtr context = make_context();
  const Matrix D(20, 20), x(2, 20);
  Random random(3);
  fill_delta(D, random), fill_uniform(x, random);
  const DeltaPtr three = pack(context, D, options_of(IDELTA_FORMAT_BF16X3)),
                 f32 = pack(context, D, options_of(IDELTA_FORMAT_F32));
  EXPECT_EQ(IDELTA_FORMAT_F32, info_of(context, three).format);
  EXPECT_EQ(IDELTA_FORMAT_BF16X3, info_of(context, three).asked);
  EXPECT_EQ(passes(context, f32, x), passes(context, three, x));
}

TEST(Bf16, TakesHalfTheBytes) {
  const ContextPtr context = make_context();
  const Matrix D(256, 256);
  fill(D, [] { return 1.0f; });
  const size_t half = info_of(context, pack(context, D, options_of(IDELTA_FORMAT_BF16))).packed_bytes;
  EXPECT_EQ(2 * half, info_of(context, pack(context, D, options_of(IDELTA_FORMAT_F32))).packed_bytes);
}

TEST(Bf16, UpdateNeedsTheMaster) {
  const ContextPtr context = make_context();
  const Matrix D(9, 9), x(2, 9);
  Random random(4);
  fill_delta(D, random), fill_uniform(x, random);
  const DeltaPtr delta = pack(context, D, options_of(IDELTA_FORMAT_BF16));
  const std::vector<uint32_t> before = passes(context, delta, x);
  const idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  idelta_update_args args = update_args(x, x, optimizer, D);
  args.D = nullptr;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_update(context.get(), delta.get(), &args));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "D is null")) << idelta_last_error();
  EXPECT_EQ(before, passes(context, delta, x));
}

}  // namespace
}  // namespace idelta_test
