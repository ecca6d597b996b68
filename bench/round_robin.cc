// See round_robin.h.
#include "bench/round_robin.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace idelta::bench {

namespace {

// How often the kernel took the processor from a thread of ours to give it to somebody else.
int64_t preemptions() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

double timed_calls(const Participant& participant, int64_t calls) {
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t c = 0; c < calls; ++c) participant.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Seconds a call takes, roughly: enough calls to fill a quarter of a sample.
double calibrate(const Participant& participant, double sample_seconds) {
  for (int64_t calls = 1;; calls *= 2) {
    calls = std::min(calls, participant.most_calls);
    if (participant.prepare) participant.prepare(calls);
    const double seconds = timed_calls(participant, calls);
    if (seconds >= sample_seconds / 4 || calls == participant.most_calls) return seconds / double(calls);
  }
}

struct Sample {
  double seconds;  // a call
  bool disturbed;
};

// A sample that another process cut into says nothing of the participant and is taken
// again; on a machine so busy that this goes on, the third counts all the same.
Sample sample(const Participant& participant, int64_t calls, bool warms) {
  constexpr int kTries = 3;
  for (int attempt = 1;; ++attempt) {
    if (participant.prepare) participant.prepare(calls + (warms ? 1 : 0));
    if (warms) participant.run();
    const int64_t before = preemptions();
    const double seconds = timed_calls(participant, calls);
    const bool disturbed = preemptions() != before;
    if (!disturbed || attempt == kTries) return {seconds / double(calls), disturbed};
  }
}

}  // namespace

RoundRobin round_robin(const std::vector<Participant>& participants, const RoundRobinOptions& options) {
  const size_t count = participants.size();
  std::vector<int64_t> calls(count);
  std::vector<bool> warms(count);
  double longest_sample = options.sample_seconds;
  for (size_t p = 0; p < count; ++p) {
    const double seconds = calibrate(participants[p], options.sample_seconds);
    calls[p] = std::clamp<int64_t>(std::llround(options.sample_seconds / seconds), 1, participants[p].most_calls);
    longest_sample = std::max(longest_sample, seconds);
    warms[p] = options.warm && seconds < 5 * options.sample_seconds;  // a longer call fills the cache by itself
  }
  const int rounds =
      std::clamp(int(options.participant_seconds / longest_sample), options.least_rounds, options.most_rounds);
  RoundRobin result{std::vector<std::vector<double>>(count)};
  for (int round = 0; round < rounds; ++round) {
    for (size_t turn = 0; turn < count; ++turn) {
      // A different one begins each round and the order turns round, so that nobody always follows the same one.
      const size_t forward = (turn + size_t(round)) % count;
      const size_t p = round % 2 == 0 ? forward : count - 1 - forward;
      const Sample taken = sample(participants[p], calls[p], warms[p]);
      result.seconds[p].push_back(taken.seconds);
      result.disturbed += taken.disturbed ? 1.0 / double(count * size_t(rounds)) : 0.0;
    }
  }
  return result;
}

Quartiles quartiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double fraction) {
    const double place = fraction * double(values.size() - 1);
    const size_t below = size_t(place);
    const size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - double(below)) * (values[above] - values[below]);
  };
  return {values.front(), at(0.25), at(0.5), at(0.75)};
}

std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result(a.size());
  for (size_t i = 0; i < a.size(); ++i) result[i] = a[i] / b[i];
  return result;
}

double geometric_mean(const std::vector<double>& values) {
  double logarithms = 0.0;
  for (const double value : values) logarithms += std::log(value);
  return std::exp(logarithms / double(values.size()));
}

}  // namespace idelta::bench
