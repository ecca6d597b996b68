// See network.h.
#include "bench/network.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>

#include "bench/implementation.h"

namespace idelta::bench {

namespace {

// Batches that a user would try: fewer rows leave SGEMM's threads idle, more leave the cache.
constexpr int64_t kBatches[] = {128, 256, 512, 1024};

// Images of the untimed phase: one of the largest batch.
constexpr int64_t kTrialImages = 1024;

double seconds_of(Labeller& labeller, int64_t images) {
  const auto begin = std::chrono::steady_clock::now();
  labeller.run(images);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The better of two, after one that touches the memory.
double trial(Labeller& labeller, int64_t images) {
  labeller.run(images);
  const double first = seconds_of(labeller, images);
  return std::min(first, seconds_of(labeller, images));
}

// The fastest variant at its fastest batch size; says in `result` which.
std::unique_ptr<Labeller> fastest(const NetworkProblem& problem, const NetworkEntry& entry,
                                  NetworkImplementation& result) {
  const int64_t images = std::min(problem.images, kTrialImages);
  std::unique_ptr<Labeller> best;
  double least = 0.0;
  for (size_t variant = 0; variant < entry.variants.size(); ++variant) {
    for (const int64_t batch : kBatches) {
      std::unique_ptr<Labeller> labeller = entry.make(problem, variant, batch);
      const double seconds = trial(*labeller, images);
      if (best != nullptr && seconds >= least) continue;
      least = seconds;
      best = std::move(labeller);
      result.variant = entry.variants[variant];
      result.batch = batch;
    }
  }
  return best;
}

}  // namespace

std::string NetworkEntry::title() const { return title_of(name, format); }

uint8_t argmax(const float* values, int64_t count) {
  return static_cast<uint8_t>(std::max_element(values, values + count) - values);
}

std::string check_labels(const NetworkProblem& problem, const NetworkEntry& entry, const std::vector<uint8_t>& labels,
                         int64_t& differ) {
  if (int64_t(labels.size()) != problem.images) {
    return std::to_string(labels.size()) + " labels of " + std::to_string(problem.images);
  }
  std::string failure;
  for (int64_t i = 0; i < problem.images; ++i) {
    const float* logits = problem.logits.data() + i * problem.classes;
    const uint8_t right = argmax(logits, problem.classes), given = labels[size_t(i)];
    if (given == right) continue;
    ++differ;
    if (!failure.empty() || entry.claim == Claim::kNone) continue;
    const auto text =
        "label of image " + std::to_string(i) + " is " + std::to_string(given) + ", not " + std::to_string(right);
    if (given >= problem.classes || entry.claim == Claim::kExact) {
      failure = text;
      continue;
    }
    // Every layer rounds its outputs once more, and none makes them much larger.
    double largest = 0.0;
    for (int64_t c = 0; c < problem.classes; ++c) largest = std::max(largest, std::fabs(double(logits[c])));
    const double margin = double(logits[right]) - double(logits[given]);
    const double allowed = double(problem.layers) * entry.rounding * largest;
    if (margin > allowed) {
      failure =
          text + ", by a margin of " + std::to_string(margin) + " where roundings make " + std::to_string(allowed);
    }
  }
  return failure;
}

NetworkResult measure_network(const NetworkProblem& problem, const std::vector<NetworkEntry>& entries,
                              RoundRobinOptions timing) {
  const ThreadScope threads(problem.threads);
  NetworkResult result{.layers = problem.layers,
                       .n = problem.n,
                       .images = problem.images,
                       .threads = problem.threads,
                       .implementations = std::vector<NetworkImplementation>(entries.size())};
  std::vector<std::unique_ptr<Labeller>> labellers(entries.size());
  std::vector<Participant> participants;
  std::vector<size_t> measured;  // of each participant, its place among the entries
  for (size_t e = 0; e < entries.size(); ++e) {
    NetworkImplementation& implementation = result.implementations[e];
    implementation.title = entries[e].title();
    implementation.rival = entries[e].rival;
    implementation.f32 = entries[e].format == "f32";
    try {
      labellers[e] = fastest(problem, entries[e], implementation);
    } catch (const std::exception& error) {
      implementation.failure = error.what();
      continue;
    }
    measured.push_back(e);
    participants.push_back(
        {.run = [&labeller = *labellers[e], &problem] { labeller.run(problem.images); }, .prepare = nullptr});
  }
  timing.settles = problem.threads > 1;
  timing.tries = 1;  // a pass takes so long that the kernel interrupts nearly every one
  const RoundRobin times = round_robin(participants, timing);
  for (size_t p = 0; p < measured.size(); ++p) {
    NetworkImplementation& implementation = result.implementations[measured[p]];
    const Labeller& labeller = *labellers[measured[p]];
    implementation.seconds = times.seconds[p];
    implementation.settled = labeller.settled();
    implementation.failure = check_labels(problem, entries[measured[p]], labeller.labels(), implementation.differ);
  }
  return result;
}

}  // namespace idelta::bench
