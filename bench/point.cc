// See point.h.
#include "bench/point.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <optional>

#include "bench/implementations/idelta.h"
#include "bench/peak.h"
#include "bench/traffic.h"
#include "bench/verify.h"

namespace idelta::bench {

namespace {

// Runs of update or train_step from one reset to the next. A column whose gradient is zero loses a tenth of its
// momentum each step; 512 steps end at 1e-26, well before denormals slow everything.
constexpr int64_t kStepsPerReset = 512;

// One implementation's copies of the layer (one if warm), run in turn.
class Copies {
 public:
  Copies(const Problem& problem, const Inputs& inputs, const ImplementationEntry& entry, int64_t count)
      : problem_(problem) {
    for (int64_t c = 0; c < count; ++c) copies_.push_back(entry.make(problem, inputs));
  }

  void run() {
    copies_[next_]->run();
    next_ = next_ + 1 == copies_.size() ? 0 : next_ + 1;
  }

  void prepare(int64_t calls) {
    if (!problem_.trains()) return;
    const int64_t steps = (calls + int64_t(copies_.size()) - 1) / int64_t(copies_.size());
    if (steps_ + steps > kStepsPerReset) {
      for (const auto& copy : copies_) copy->reset(timing_learning_rate(problem_));
      steps_ = 0;
    }
    steps_ += steps;
  }

  int64_t count() const { return int64_t(copies_.size()); }
  Implementation& first() { return *copies_.front(); }

 private:
  const Problem problem_;
  std::vector<std::unique_ptr<Implementation>> copies_;
  size_t next_ = 0;
  int64_t steps_ = 0;
};

// So many that what is read between two calls of the same copy is more than the cache holds.
int64_t copies_for(const Problem& problem, bool cold) {
  if (!cold) return 1;
  const double matrices = problem.trains() ? 2.0 : 1.0;  // D and v
  const double layer_floats = double(problem.n) * (matrices * double(problem.n) + 2.0 * double(problem.m));
  return std::max<int64_t>(2, std::llround(double(cold_bytes()) / (sizeof(float) * layer_floats)));
}

// Streaming D decides the time up to about here; beyond, its bandwidth says nothing.
constexpr int64_t kMostRowsForBandwidth = 16;

// The participants of a point: the FMA loop, the traffic loop where it says something, and the implementations.
class Turns {
 public:
  Turns(const Problem& problem, bool cold)
      : problem_(problem),
        fma_(context_for(problem.isa, problem.threads).isa(), problem.threads),
        traffic_(problem.m <= kMostRowsForBandwidth ? std::optional(traffic_loop_for(problem, cold)) : std::nullopt) {
    participants_.push_back({.run = [this] { fma_.run(); }, .prepare = nullptr});
    if (traffic_) {
      participants_.push_back(
          {.run = [this] { traffic_->run(); }, .prepare = nullptr, .first_calls = traffic_->chunks()});
    }
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Both must outlive this.
  void add(Copies& copies, ImplementationResult& result) {
    participants_.push_back({.run = [&copies] { copies.run(); },
                             .prepare = [&copies](int64_t calls) { copies.prepare(calls); },
                             .most_calls = problem_.trains() ? kStepsPerReset / 2 : INT64_MAX,
                             .first_calls = copies.count()});
    results_.push_back(&result);
  }

  // Fills in the times of all that were added, and the point's.
  void measure(const RoundRobinOptions& timing, PointResult& point) {
    RoundRobin measured = round_robin(participants_, timing);
    const std::vector<double> fma = measured.seconds[0];
    point.disturbed = measured.disturbed;
    point.fma_gflops = 1e-9 * fma_.flops() / quartiles(fma).median;
    const size_t first = participants_.size() - results_.size();
    for (size_t r = 0; r < results_.size(); ++r) {
      ImplementationResult& result = *results_[r];
      result.seconds = measured.seconds[first + r];
      result.peak_fraction = ratios(fma, result.seconds);
      for (double& fraction : result.peak_fraction) fraction *= problem_.flops() / fma_.flops();
      if (!traffic_) continue;
      result.bandwidth_fraction = ratios(measured.seconds[1], result.seconds);
      const double share = problem_.traffic_bytes(result.format) / traffic_->bytes();
      for (double& fraction : result.bandwidth_fraction) fraction *= share;
    }
  }

 private:
  const Problem problem_;
  const FmaLoop fma_;
  std::optional<TrafficLoop> traffic_;
  std::vector<Participant> participants_;
  std::vector<ImplementationResult*> results_;
};

}  // namespace

PointResult measure_point(const Problem& problem, const Inputs& inputs, const std::vector<ImplementationEntry>& entries,
                          const PointOptions& options) {
  const ThreadScope threads(problem.threads);
  PointResult point{.problem = problem, .implementations = std::vector<ImplementationResult>(entries.size())};
  std::vector<std::unique_ptr<Copies>> copies(entries.size());
  Turns turns(problem, options.cold);
  for (size_t e = 0; e < entries.size(); ++e) {
    ImplementationResult& result = point.implementations[e];
    result.name = entries[e].name;
    result.format = entries[e].format;
    result.rival = entries[e].rival;
    try {
      copies[e] = std::make_unique<Copies>(problem, inputs, entries[e], copies_for(problem, options.cold));
      turns.add(*copies[e], result);
    } catch (const std::exception& error) {
      result.failure = error.what();
    }
  }
  RoundRobinOptions timing = options.timing;
  timing.settles = problem.threads > 1;
  turns.measure(timing, point);
  for (size_t e = 0; e < entries.size(); ++e) {
    if (copies[e] == nullptr) continue;
    const Verdict verdict = verify(problem, copies[e]->first(), entries[e].identity_apart);
    point.implementations[e].relative_error = verdict.relative_error;
    point.implementations[e].failure = verdict.failure;
  }
  return point;
}

}  // namespace idelta::bench
