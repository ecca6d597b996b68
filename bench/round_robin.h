// Interleaved timing. A shared machine drifts by tens of per cent between minutes, so absolute figures of two
// implementations taken one after the other say little. Here all take turns within milliseconds, round after round, and
// ratios are formed inside a round. Untimed calls come before each sample: they bring back the participant's data and
// wake its threads. (A participant that wants its data cold walks through many copies of it, so they do not warm it.)
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace idelta::bench {

struct Participant {
  std::function<void()> run;
  // Called before `calls` timed calls, outside the time; may be empty.
  std::function<void(int64_t calls)> prepare;
  int64_t most_calls = INT64_MAX;  // in one sample
  // Untimed ones before everything else: until all the memory it walks through was used.
  int64_t first_calls = 1;
};

struct RoundRobinOptions {
  double sample_seconds = 4e-3;        // a sample is as many calls as fit, at least one
  double participant_seconds = 60e-3;  // all samples of a participant together, as far as the rounds permit
  int least_rounds = 5, most_rounds = 15;
  // Several threads: wait before each sample until the last participant's have gone to sleep.
  bool settles = false;
  int tries = 3;  // of a sample that others cut into; the last is taken as it is
};

struct RoundRobin {
  std::vector<std::vector<double>> seconds;  // of one call: a vector for each participant, an entry for each round
  double disturbed = 0.0;                    // share of the samples that others cut into in every try
};

RoundRobin round_robin(const std::vector<Participant>& participants, const RoundRobinOptions& options);

struct Quartiles {
  double least, low, median, high;
};
Quartiles quartiles(std::vector<double> values);  // not empty

// a[i] / b[i]
std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b);

double geometric_mean(const std::vector<double>& values);

}  // namespace idelta::bench
