// See round_robin.h.
#include "bench/round_robin.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <thread>

namespace idelta::bench {

namespace {

double process_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

// Sleeps until no other thread of this process uses a processor; false if one still does after 50 ms, as those of
// OMP_WAIT_POLICY=active do. Threads that have done their part of a call spin for a while in case another follows,
// OpenMP's for milliseconds, idelta's own for a tenth of one, and the next participant on the same cores would pay.
// Processor time of the whole process that passes while this thread sleeps belongs to the others.
bool settle() {
  constexpr auto kNap = std::chrono::microseconds(200);
  // Falling asleep and waking up take some 20 us of this thread's own; a thread that spins takes the whole nap.
  constexpr double kBusySeconds = 100e-6;
  constexpr int kMostNaps = 250;
  for (int nap = 0; nap < kMostNaps; ++nap) {
    const double before = process_seconds();
    std::this_thread::sleep_for(kNap);
    if (process_seconds() - before < kBusySeconds) return true;
  }
  return false;
}

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
  for (int64_t c = 0; c < participant.first_calls; ++c) {
    if (participant.prepare) participant.prepare(1);
    participant.run();
  }
  for (int64_t calls = 1;; calls *= 2) {
    calls = std::min(calls, participant.most_calls);
    if (participant.prepare) participant.prepare(calls);
    const double seconds = timed_calls(participant, calls);
    if (seconds >= sample_seconds / 4 || calls == participant.most_calls) return seconds / double(calls);
  }
}

// Calls of a participant in one of its turns.
struct Turn {
  int64_t warming, timed;
};

struct Sample {
  double seconds;  // a call
  bool disturbed;
};

// A sample that another process cut into, or a thread that would not go to sleep, says nothing of the participant and
// is taken again; on a machine so busy that this goes on, the last try is taken as it is.
Sample sample(const Participant& participant, const Turn& turn, const RoundRobinOptions& options) {
  for (int attempt = 1;; ++attempt) {
    if (participant.prepare) participant.prepare(turn.warming + turn.timed);
    const bool quiet = !options.settles || settle();
    for (int64_t c = 0; c < turn.warming; ++c) participant.run();
    const int64_t before = preemptions();
    const double seconds = timed_calls(participant, turn.timed);
    const bool disturbed = !quiet || preemptions() != before;
    if (!disturbed || attempt >= options.tries) return {seconds / double(turn.timed), disturbed};
  }
}

// One call brings the data back into the cache; 0.2 ms of them let a processor that slept run at its speed again, and
// threads that were woken (65 us on a virtual machine) arrive. A call of several samples' length does both by itself.
Turn turn_for(const Participant& participant, double call_seconds, double sample_seconds) {
  constexpr double kWarmingSeconds = 0.2e-3;
  Turn turn{0, std::clamp<int64_t>(std::llround(sample_seconds / call_seconds), 1, participant.most_calls)};
  if (call_seconds < 5 * sample_seconds) {
    turn.warming = std::clamp<int64_t>(std::llround(kWarmingSeconds / call_seconds), 1, participant.most_calls);
  }
  return turn;
}

}  // namespace

RoundRobin round_robin(const std::vector<Participant>& participants, const RoundRobinOptions& options) {
  const size_t count = participants.size();
  std::vector<Turn> turns(count);
  double longest_sample = options.sample_seconds;
  for (size_t p = 0; p < count; ++p) {
    const double seconds = calibrate(participants[p], options.sample_seconds);
    turns[p] = turn_for(participants[p], seconds, options.sample_seconds);
    longest_sample = std::max(longest_sample, seconds);
  }
  const int rounds =
      std::clamp(int(options.participant_seconds / longest_sample), options.least_rounds, options.most_rounds);
  RoundRobin result{std::vector<std::vector<double>>(count)};
  for (int round = 0; round < rounds; ++round) {
    for (size_t place = 0; place < count; ++place) {
      // A different one begins each round and the order turns round, so that nobody always follows the same one.
      const size_t forward = (place + size_t(round)) % count;
      const size_t p = round % 2 == 0 ? forward : count - 1 - forward;
      const Sample taken = sample(participants[p], turns[p], options);
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
