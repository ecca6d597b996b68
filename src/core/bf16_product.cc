#include "src/core/bf16_product.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "src/core/dispatch.h"
#include "src/core/error.h"
#include "src/core/memory.h"

namespace idelta::core {
namespace {

using Clock = std::chrono::steady_clock;

template <class Body>
double seconds_of(Body&& body) {
  constexpr int kCalls = 8;  // 1 us each: far more than the clock takes
  const auto start = Clock::now();
  for (int call = 0; call < kCalls; ++call) body();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// How much faster one full tile in L1 is with x rounded than widened. The least of several times, in turns, so that a
// disturbed one does not count: 0.3 ms in all.
double measured_gain(const KernelTable& kernels) {
  constexpr int64_t kSteps = 256;
  constexpr int kRounds = 12;
  const int64_t mr = kernels.mr, nr = kernels.nr;
  const FloatBuffer x(mr * kSteps), d(kSteps / 2 * nr), y(mr * nr);
  std::fill_n(x.get(), x.size(), 0.0f);  // the time of a multiplication does not depend on what is multiplied
  std::fill_n(d.get(), d.size(), 0.0f);
  const Epilogue epilogue{.residual = x.get(), .ld_residual = kSteps, .identity_scale = 1, .y = y.get(), .ldy = nr};
  const ForwardTile widened{.rows = mr,
                            .cols = nr,
                            .k = kSteps,
                            .x = x.get(),
                            .ldx = kSteps,
                            .panels = d.get(),
                            .panel_stride = d.size(),
                            .epilogue = epilogue};
  const Bf16Block rounded{.rows = mr,
                          .cols = nr,
                          .k = kSteps,
                          .x_hi = reinterpret_cast<const uint16_t*>(x.get()),
                          .ldx = kSteps,
                          .panels_hi = reinterpret_cast<const uint32_t*>(d.get()),
                          .panel_stride = d.size(),
                          .epilogue = epilogue};
  double widened_seconds = 1, rounded_seconds = 1;
  for (int round = 0; round < kRounds; ++round) {
    widened_seconds = std::min(widened_seconds, seconds_of([&] { kernels.bf16_forward(widened); }));
    rounded_seconds = std::min(rounded_seconds, seconds_of([&] { kernels.bf16_dot(rounded); }));
  }
  return widened_seconds / rounded_seconds;
}

Bf16ProductChoice fastest(idelta_isa isa, const KernelTable& kernels) {
  if (isa == IDELTA_ISA_AMX) return {true, "AMX's tiles multiply bf16 with bf16"};
  if (isa < IDELTA_ISA_AVX512 || !cpu_features().avx512_bf16) return {false, "no vdpbf16ps here"};
  // CPUs gain 1.8 or lose half (Zen 5, Sapphire Rapids), so that the same machine chooses alike every time.
  constexpr double kClearGain = 1.3;
  static const double gain = measured_gain(kernels);  // only this ISA has it
  char text[80];
  std::snprintf(text, sizeof text, "vdpbf16ps measured %.1f times as fast as widening", gain);
  return {gain > kClearGain, text};
}

}  // namespace

Bf16ProductChoice choose_bf16_product(idelta_bf16_product wish, const char* environment, idelta_isa isa,
                                      const KernelTable& kernels) {
  if (wish < IDELTA_BF16_PRODUCT_AUTO || wish > IDELTA_BF16_PRODUCT_ROUNDED) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "bf16_product = " + std::to_string(wish) + " is none of idelta_bf16_product's values");
  }
  if (wish != IDELTA_BF16_PRODUCT_AUTO) return {wish == IDELTA_BF16_PRODUCT_ROUNDED, "asked for by the program"};
  const std::string_view name = environment ? environment : "";
  if (name == "widened" || name == "rounded") return {name == "rounded", "asked for by IDELTA_BF16"};
  if (!name.empty() && name != "auto") {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "environment variable IDELTA_BF16 = \"" + std::string(name) + "\" is none of auto, widened, rounded");
  }
  return fastest(isa, kernels);
}

}  // namespace idelta::core
