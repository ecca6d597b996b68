// idelta_cut_regret [shapes] [seed]: how much slower forward and backward_data are, cut as the cost model chooses, than
// by the best number of row strips, on shapes drawn at random. The exit code is 1 if that is more than 8 % on average.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "src/core/context.h"
#include "src/core/formats/f32.h"

namespace idelta::core {
namespace {

constexpr int64_t kMostN = 5000, kMostM = 2000;
constexpr double kMostMultiplyAdds = 6e9, kSampleSeconds = 3e-3, kBound = 0.08;
constexpr int kRounds = 7;

struct Shape {
  int64_t n, m;
};

// Evenly over the logarithms, without what takes a second.
Shape draw(std::mt19937& random) {
  std::uniform_real_distribution<double> share;
  for (;;) {
    const auto n = static_cast<int64_t>(std::round(64 * std::pow(kMostN / 64.0, share(random))));
    const auto m = static_cast<int64_t>(std::round(std::pow(kMostM, share(random))));
    if (static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(m) <= kMostMultiplyAdds) return {n, m};
  }
}

class Problem {
 public:
  Problem(const idelta_context& context, const Shape& shape, bool backward)
      : context_(context),
        shape_(shape),
        backward_(backward),
        D_(numbers(shape.n * shape.n)),
        op_(context, {D_.data(), shape.n}, shape.n, shape.n),
        x_(numbers(shape.m * shape.n)),
        y_(x_),
        dz_(x_) {}

  void run(int64_t strips) {
    const int64_t n = shape_.n;
    Multiplication call{.m = shape_.m,
                        .rows = {.src = x_.data(), .ld = n},
                        .epilogue = {.identity_scale = 1, .activation = kIdentityActivation, .y = y_.data(), .ldy = n},
                        .strips = strips};
    if (backward_) {
      call.rows.y = x_.data(), call.rows.ldy = n;
      call.rows.gradient = {1, -1, 1, false};
      call.rows.dz = dz_.data(), call.rows.lddz = n;
    }
    op_.multiply(context_, call);
  }

 private:
  static std::vector<float> numbers(int64_t count) {
    std::minstd_rand random(1);
    std::vector<float> all(static_cast<size_t>(count));
    for (float& v : all) v = static_cast<float>(random() % 2048) / 1024 - 1;
    return all;
  }

  const idelta_context& context_;
  Shape shape_;
  bool backward_;
  std::vector<float> D_;
  F32Operator op_;
  std::vector<float> x_, y_, dz_;
};

double seconds_of(Problem& problem, int64_t strips, int64_t calls) {
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < calls; ++i) problem.run(strips);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(calls);
}

// Median seconds of a call: [0] as chosen, [s] with s strips; in turns.
std::vector<double> measure(Problem& problem, int64_t threads) {
  const auto choices = static_cast<size_t>(threads + 1);
  std::vector<std::vector<double>> samples(choices);
  for (size_t s = 0; s < choices; ++s) problem.run(static_cast<int64_t>(s));
  const auto calls = std::max<int64_t>(1, static_cast<int64_t>(kSampleSeconds / seconds_of(problem, 0, 1)));
  for (int round = 0; round < kRounds; ++round) {
    for (size_t s = 0; s < choices; ++s) {
      samples[s].push_back(seconds_of(problem, static_cast<int64_t>(s), calls));
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& of : samples) {
    std::nth_element(of.begin(), of.begin() + kRounds / 2, of.end());
    medians.push_back(of[kRounds / 2]);
  }
  return medians;
}

int report(int shapes, uint32_t seed) {
  const std::unique_ptr<idelta_context> context(create_context(IDELTA_CONTEXT_OPTIONS_INIT));
  const int64_t threads = context->parallel.threads();
  std::fputs(context->description.c_str(), stdout);
  std::printf("\n    n     m  pass       us by 1 .. %lld strips, the chosen cut, regret\n",
              static_cast<long long>(threads));
  std::mt19937 random(seed);
  double sum = 0, worst = 0;
  for (int i = 0; i < shapes; ++i) {
    const Shape shape = draw(random);
    for (const bool backward : {false, true}) {
      Problem problem(*context, shape, backward);
      const std::vector<double> seconds = measure(problem, threads);
      const double regret = seconds[0] / *std::min_element(seconds.begin() + 1, seconds.end()) - 1;
      sum += std::max(regret, 0.0), worst = std::max(worst, regret);
      std::printf("%5lld %5lld  %-9s", static_cast<long long>(shape.n), static_cast<long long>(shape.m),
                  backward ? "backward" : "forward");
      for (size_t s = 1; s < seconds.size(); ++s) std::printf(" %10.1f", 1e6 * seconds[s]);
      std::printf("  %10.1f  %5.1f %%\n", 1e6 * seconds[0], 100 * regret);
      std::fflush(stdout);
    }
  }
  const double mean = sum / (2 * shapes);
  std::printf("mean regret %.1f %%, largest %.1f %%\n", 100 * mean, 100 * worst);
  return mean <= kBound ? 0 : 1;
}

}  // namespace
}  // namespace idelta::core

int main(int argc, char** argv) {
  const int shapes = argc > 1 ? std::atoi(argv[1]) : 30;
  const int seed = argc > 2 ? std::atoi(argv[2]) : 1;
  if (argc > 3 || shapes < 1 || seed < 0) {
    std::fprintf(stderr, "Usage: idelta_cut_regret [shapes, at least 1] [seed]\n");
    return 2;
  }
  try {
    return idelta::core::report(shapes, static_cast<uint32_t>(seed));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idelta_cut_regret: %s\n", error.what());
    return 1;
  }
}
