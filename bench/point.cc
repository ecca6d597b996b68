// See point.h.
#include "bench/point.h"

#include <algorithm>
#include <exception>
#include <memory>

#include "bench/implementations/idelta.h"
#include "bench/peak.h"
#include "bench/verify.h"

namespace idelta::bench {

namespace {

// Runs of train_step from one reset to the next. A column whose gradient is zero loses a tenth of its momentum each
// step; 512 steps end at 1e-26, well before denormals slow everything.
constexpr int64_t kStepsPerReset = 512;

// One implementation's copies of the layer (one if warm), run in turn.
class Copies {
 public:
  Copies(const Problem& problem, const Inputs& inputs, const ImplementationEntry& entry, int64_t count)
      : problem_(problem) {
    for (int64_t c = 0; c < count; ++c) copies_.push_back(entry.make(problem, inputs));
    for (const auto& copy : copies_) copy->run();  // touches every page
  }

  void run() {
    copies_[next_]->run();
    next_ = next_ + 1 == copies_.size() ? 0 : next_ + 1;
  }

  void prepare(int64_t calls) {
    if (problem_.pass != Pass::kTrainStep) return;
    const int64_t steps = (calls + int64_t(copies_.size()) - 1) / int64_t(copies_.size());
    if (steps_ + steps > kStepsPerReset) {
      for (const auto& copy : copies_) copy->reset(timing_learning_rate(problem_));
      steps_ = 0;
    }
    steps_ += steps;
  }

  Implementation& first() { return *copies_.front(); }

 private:
  const Problem problem_;
  std::vector<std::unique_ptr<Implementation>> copies_;
  size_t next_ = 0;
  int64_t steps_ = 1;
};

int64_t copies_for(const Problem& problem, bool cold) {
  if (!cold) return 1;
  const int64_t layer_bytes = int64_t(sizeof(float)) * (problem.n * problem.n + 2 * problem.m * problem.n);
  return std::max<int64_t>(2, (cold_bytes() + layer_bytes - 1) / layer_bytes);
}

}  // namespace

PointResult measure_point(const Problem& problem, const std::vector<ImplementationEntry>& entries,
                          const PointOptions& options) {
  const ThreadScope threads(problem.threads);
  const Inputs inputs(problem);
  const FmaLoop fma(idelta_context_isa(context_for(problem.isa, problem.threads)), problem.threads);

  PointResult point{.problem = problem, .implementations = std::vector<ImplementationResult>(entries.size())};
  std::vector<std::unique_ptr<Copies>> copies(entries.size());
  std::vector<Participant> participants = {{.run = [&] { fma.run(); }, .prepare = nullptr}};
  std::vector<ImplementationResult*> runners;  // of participants 1, 2, ...: those that could be made
  for (size_t e = 0; e < entries.size(); ++e) {
    ImplementationResult& result = point.implementations[e];
    result.name = entries[e].name;
    try {
      copies[e] = std::make_unique<Copies>(problem, inputs, entries[e], copies_for(problem, options.cold));
    } catch (const std::exception& error) {
      result.failure = error.what();
      continue;
    }
    Copies& mine = *copies[e];
    participants.push_back({.run = [&mine] { mine.run(); },
                            .prepare = [&mine](int64_t calls) { mine.prepare(calls); },
                            .most_calls = problem.pass == Pass::kTrainStep ? kStepsPerReset / 2 : INT64_MAX});
    runners.push_back(&result);
  }

  RoundRobinOptions timing = options.timing;
  timing.warm = !options.cold;
  const RoundRobin measured = round_robin(participants, timing);
  const std::vector<std::vector<double>>& seconds = measured.seconds;
  point.disturbed = measured.disturbed;
  point.fma_gflops = 1e-9 * fma.flops() / quartiles(seconds[0]).median;
  for (size_t r = 0; r < runners.size(); ++r) {
    runners[r]->seconds = seconds[r + 1];
    runners[r]->peak_fraction = ratios(seconds[0], seconds[r + 1]);
    for (double& fraction : runners[r]->peak_fraction) fraction *= problem.flops() / fma.flops();
  }
  for (size_t e = 0; e < entries.size(); ++e) {
    if (copies[e] == nullptr) continue;
    const Verdict verdict = verify(problem, inputs, copies[e]->first(), entries[e].identity_apart);
    point.implementations[e].relative_error = verdict.relative_error;
    point.implementations[e].failure = verdict.failure;
  }
  return point;
}

}  // namespace idelta::bench
