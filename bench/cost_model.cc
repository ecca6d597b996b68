// See cost_model.h.
#include "src/core/plan/cost_model.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>
#include <vector>

#include "bench/cost_model.h"
#include "bench/implementations/idelta.h"
#include "bench/peak.h"
#include "bench/round_robin.h"
#include "bench/traffic.h"
#include "idelta/idelta.hpp"

namespace idelta::bench {

namespace {

double median_seconds(const std::function<void()>& run, int64_t first_calls = 1) {
  const RoundRobinOptions options{.participant_seconds = 30e-3, .settles = true};
  return quartiles(round_robin({{.run = run, .prepare = nullptr, .first_calls = first_calls}}, options).seconds[0])
      .median;
}

int64_t lanes_of(idelta_isa isa) { return isa >= IDELTA_ISA_AVX512 ? 16 : isa == IDELTA_ISA_AVX2 ? 8 : 1; }

// Two vectors of multiply-adds at the peak of one thread.
double seconds_of_step(idelta_isa isa) {
  const FmaLoop loop(isa, 1);
  return 4.0 * double(lanes_of(isa)) * median_seconds([&] { loop.run(); }) / loop.flops();
}

double bytes_a_second(int64_t bytes, int threads, bool cold) {
  TrafficLoop loop(Traffic::kRead, bytes, threads, cold);
  return loop.bytes() / median_seconds([&] { loop.run(); }, loop.chunks());
}

// Of what one thread has just written, read by another; 0 with one thread.
double bytes_a_second_from_other_core(int threads) {
  if (threads < 2) return 0;
  constexpr int kRounds = 51;
  std::vector<float> buffer(size_t(1) << 16);
  std::vector<double> seconds;
  volatile float keep = 0;
  for (int round = 0; round < kRounds; ++round) {
#pragma omp parallel num_threads(2)
    {
      if (omp_get_thread_num() == 0) std::fill(buffer.begin(), buffer.end(), float(round));
#pragma omp barrier
      if (omp_get_thread_num() == 1) {
        const auto start = std::chrono::steady_clock::now();
        float sums[64] = {};
        for (size_t i = 0; i < buffer.size(); i += 64) {
          for (size_t lane = 0; lane < 64; ++lane) sums[lane] += buffer[i + lane];
        }
        keep = std::accumulate(sums, sums + 64, 0.0f);
        seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      }
    }
  }
  (void)keep;
  return double(buffer.size() * sizeof(float)) / quartiles(seconds).median;
}

double seconds_of_forward(idelta_isa isa, int threads, int64_t n, int64_t m, idelta_format format = IDELTA_FORMAT_F32) {
  const std::vector<float> D(size_t(n * n), 0.01f), x(size_t(n * m), 1.0f);
  std::vector<float> y(x.size());
  DeltaOptions options = kDeltaOptions;
  options.format = format;
  options.passes = IDELTA_PASS_FORWARD;
  const Delta delta(context_for(isa, threads), n, D.data(), n, options);
  return median_seconds([&] { delta.forward({.m = m, .x = x.data(), .ldx = n, .y = y.data(), .ldy = n}); });
}

// Steps of a word, and of a row in a panel besides: at two widths whose D stay in L2, and rows of whole tiles.
struct FormatSteps {
  double word, row;
};
FormatSteps steps_of(idelta_format format, idelta_isa isa, double step, double numbers_a_word) {
  constexpr double kM = 84, kWidths[] = {160, 480};
  const double columns = 2.0 * double(lanes_of(isa)), tile_rows = isa >= IDELTA_ISA_AVX512 ? 14 : 6;
  double row[2], words[2];
  for (int i = 0; i < 2; ++i) {
    const double panels = kWidths[i] / columns;
    words[i] = kWidths[i] / numbers_a_word * (1 + core::kCostModel.tile_rows / tile_rows);
    row[i] = seconds_of_forward(isa, 1, int64_t(kWidths[i]), int64_t(kM), format) / step / (kM * panels);
  }
  const double word = (row[1] - row[0]) / (words[1] - words[0]);
  return {word, row[0] - word * words[0]};
}

}  // namespace

std::string describe_cost_model() {
  const idelta_isa isa = context_for(IDELTA_ISA_AUTO, 1).isa();
  const int threads = int(context_for(IDELTA_ISA_AUTO, 0).threads());
  const double step = seconds_of_step(isa), multiply_adds = 2.0 * double(lanes_of(isa));
  constexpr int64_t kMiB = 1 << 20;

  // D stays in L2, and the rows are whole tiles of any instruction set: 14 and 6 rows.
  constexpr int64_t kN = 320, kM = 84;
  const double panels = double(kN) / multiply_adds;
  const double tile_rows = isa >= IDELTA_ISA_AVX512 ? 14 : 6, tiles = double(kM) / tile_rows;
  const double a_tile = seconds_of_forward(isa, 1, kN, kM) / (step * panels * double(kN) * tiles);
  // Little enough that starting counts, enough that it is worth it.
  constexpr int64_t kSmallN = 128, kSmallM = 64;
  const double join = seconds_of_forward(isa, threads, kSmallN, kSmallM) -
                      seconds_of_forward(isa, 1, kSmallN, kSmallM) / double(threads);

  const bool rounds = context_for(isa, 1).bf16_product() == IDELTA_BF16_PRODUCT_ROUNDED;
  const FormatSteps f32 = steps_of(IDELTA_FORMAT_F32, isa, step, 1);
  const FormatSteps bf16 = steps_of(IDELTA_FORMAT_BF16, isa, step, 2);
  const FormatSteps int8 = steps_of(IDELTA_FORMAT_INT8, isa, step, 4);

  const core::CostModel& built_in = core::kCostModel;
  const double bf16_word = !rounds                 ? built_in.widened_word
                           : isa == IDELTA_ISA_AMX ? built_in.tile_word
                                                   : built_in.dot_word;
  const struct {
    const char *name, *unit;
    double measured, built_in;
  } members[] = {
      {"step_seconds", "seconds", step, built_in.step_seconds},
      {"call_steps", "steps", seconds_of_forward(isa, 1, 2, 1) / step, built_in.call_steps},
      {rounds ? isa == IDELTA_ISA_AMX ? "tile_word" : "dot_word" : "widened_word", "steps", bf16.word, bf16_word},
      {"integer_word", "steps", int8.word, built_in.integer_word},
      {"epilogue_steps", "steps a row and panel", f32.row, built_in.epilogue_steps},
      {"rounding_steps", "steps a row and panel", rounds ? bf16.row - f32.row : 0, built_in.rounding_steps},
      {"quantizing_steps", "steps a row and panel", int8.row - f32.row, built_in.quantizing_steps},
      {"l2_bytes", "bytes a step", bytes_a_second(kMiB / 4, 1, false) * step, built_in.l2_bytes},
      {"l3_bytes", "bytes a step", bytes_a_second(8 * kMiB, 1, false) * step, built_in.l3_bytes},
      {"memory_bytes", "bytes a step", bytes_a_second(16 * kMiB, 1, true) * step, built_in.memory_bytes},
      {"shared_memory_bytes", "bytes a step, all threads", bytes_a_second(16 * kMiB, threads, true) * step,
       built_in.shared_memory_bytes},
      {"other_core_bytes", "bytes a step", bytes_a_second_from_other_core(threads) * step, built_in.other_core_bytes},
      {"tile_rows", "rows a tile", a_tile - tile_rows, built_in.tile_rows},
      {"join_steps", "steps", join / step, built_in.join_steps},
      {"thread_multiply_adds", "multiply-adds", join / step * multiply_adds, built_in.thread_multiply_adds}};
  char line[120];
  std::snprintf(line, sizeof line, "A step takes %.3f ns: %.0f multiply-adds of one thread. %d threads.\n", 1e9 * step,
                multiply_adds, threads);
  std::string text = line;
  std::snprintf(line, sizeof line, "%-22s %12s %12s  %s\n", "member", "measured", "built in", "unit");
  text += line;
  for (const auto& member : members) {
    std::snprintf(line, sizeof line, "%-22s %12.3g %12.3g  %s\n", member.name, member.measured, member.built_in,
                  member.unit);
    text += line;
  }
  return text +
         "The members of x^T dz are shares of caches, which only trying others can judge: bench on the weight "
         "passes.\n";
}

}  // namespace idelta::bench
