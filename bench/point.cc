// See point.h.
#include "bench/point.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <memory>
#include <utility>

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
    if (!problem_.pass.trains()) return;
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
  const double matrices = problem.pass.trains() ? 2.0 : 1.0;  // D and v
  const double layer_floats = double(problem.n) * (matrices * double(problem.n) + 2.0 * double(problem.m));
  return std::max<int64_t>(2, std::llround(double(cold_bytes()) / (sizeof(float) * layer_floats)));
}

// Streaming D decides the time up to about here; beyond, its bandwidth says nothing.
constexpr int64_t kMostRowsForBandwidth = 16;

// The participants of a point: the FMA loop, traffic loops where they say something (one for dense D and one for the
// factors of each rank), and the implementations.
class Turns {
 public:
  Turns(const Problem& problem, bool cold)
      : problem_(problem), cold_(cold), fma_(context_for(problem.isa, problem.threads).isa(), problem.threads) {
    participants_.push_back({.run = [this] { fma_.run(); }, .prepare = nullptr});
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Both must outlive this.
  void add(Copies& copies, ImplementationResult& result) {
    if (problem_.m <= kMostRowsForBandwidth) add_traffic(rank_of(result.format));
    result_at_.push_back(participants_.size());
    participants_.push_back({.run = [&copies] { copies.run(); },
                             .prepare = [&copies](int64_t calls) { copies.prepare(calls); },
                             .most_calls = problem_.pass.trains() ? kStepsPerReset / 2 : INT64_MAX,
                             .first_calls = copies.count()});
    results_.push_back(&result);
  }

  // Fills in the times of all that were added, and the point's.
  void measure(const RoundRobinOptions& timing, PointResult& point) {
    RoundRobin measured = round_robin(participants_, timing);
    const std::vector<double> fma = measured.seconds[0];
    point.disturbed = measured.disturbed;
    point.fma_gflops = 1e-9 * fma_.flops() / quartiles(fma).median;
    for (size_t r = 0; r < results_.size(); ++r) {
      ImplementationResult& result = *results_[r];
      result.seconds = measured.seconds[result_at_[r]];
      result.peak_fraction = ratios(fma, result.seconds);
      for (double& fraction : result.peak_fraction) fraction *= problem_.flops(result.format) / fma_.flops();
      const auto stream = streams_.find(rank_of(result.format));
      if (stream == streams_.end()) continue;
      result.bandwidth_fraction = ratios(measured.seconds[stream->second.at], result.seconds);
      const double share = problem_.traffic_bytes(result.format) / stream->second.loop.bytes();
      for (double& fraction : result.bandwidth_fraction) fraction *= share;
    }
  }

 private:
  struct Stream {
    TrafficLoop loop;
    size_t at;  // among the participants
  };

  void add_traffic(int64_t rank) {
    if (streams_.count(rank) != 0) return;
    const size_t at = participants_.size();
    Stream& stream = streams_.emplace(rank, Stream{traffic_loop_for(problem_, rank, cold_), at}).first->second;
    participants_.push_back(
        {.run = [&stream] { stream.loop.run(); }, .prepare = nullptr, .first_calls = stream.loop.chunks()});
  }

  const Problem problem_;
  const bool cold_;
  const FmaLoop fma_;
  std::map<int64_t, Stream> streams_;  // by rank; 0: dense
  std::vector<Participant> participants_;
  std::vector<ImplementationResult*> results_;
  std::vector<size_t> result_at_;  // among the participants
};

}  // namespace

bool are_compared(const ImplementationResult& ours, const ImplementationResult& theirs) {
  if (ours.format == theirs.format) return true;
  if (rank_of(theirs.format) > 0) return false;
  return rank_of(ours.format) == 0 || (theirs.name == "idelta" && theirs.format == "f32");
}

bool is_match(const ImplementationResult& ours, const ImplementationResult& theirs) {
  return theirs.format == ours.format || (theirs.format == "f32" && rank_of(ours.format) == 0);
}

const ImplementationResult* best_rival(const PointResult& point, const ImplementationResult& ours) {
  const ImplementationResult* best = nullptr;
  for (const ImplementationResult& theirs : point.implementations) {
    if (!theirs.rival || !theirs.failure.empty() || !is_match(ours, theirs)) continue;
    if (best == nullptr || quartiles(theirs.seconds).median < quartiles(best->seconds).median) best = &theirs;
  }
  return best;
}

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
    const Verdict verdict = verify(problem, copies[e]->first(), entries[e]);
    point.implementations[e].relative_error = verdict.relative_error;
    point.implementations[e].failure = verdict.failure;
  }
  return point;
}

}  // namespace idelta::bench
