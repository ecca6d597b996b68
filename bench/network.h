// A whole network instead of a layer: the labels of a set of images, everything counted from images in [0, 1] to the
// argmax over the class dimensions. The pass is called predict, and m is the size of the set.
//
//     h^0 = [image, padding],  h^l = act(a h^{l-1} + h^{l-1} D^l + b^l),  the last layer linear,  label = argmax
//     h^L[P:]
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/problem.h"
#include "bench/round_robin.h"

namespace idelta::bench {

struct NetworkProblem {
  int64_t layers = 0, n = 0, pixels = 0, classes = 0;
  float identity_scale = 1.0f, class_padding = 0.0f;
  idelta_activation activation{};   // of all layers but the last
  std::vector<Buffer> delta, bias;  // of each layer: n x n, n
  int64_t images = 0;
  const float* image_values = nullptr;  // images x pixels; outlives the problem
  Buffer logits;                        // images x classes, of idelta's dense network in f32: the reference
  int threads = 1;

  bool is_linear(int64_t layer) const { return layer + 1 == layers || activation.kind == IDELTA_ACTIVATION_IDENTITY; }
};

// How many rows a form of a network settled, of those that it was asked for.
struct SettledRows {
  std::string form;
  int64_t tried, settled;
};

// One way to the labels. The constructor does what a user does once: packing, primitives, buffers.
class Labeller {
 public:
  virtual ~Labeller() = default;
  virtual void run(int64_t images) = 0;  // of the first `images`
  virtual const std::vector<uint8_t>& labels() const = 0;
  virtual std::vector<SettledRows> settled() const { return {}; }  // of the last run; empty without a guarantee
};

// What labels are to be: exactly those of the reference; those, but where its logits are nearer to each other than
// roundings; or anything, which is only counted.
enum class Claim { kExact, kRounded, kNone };

// What a layer in fp32 may err by, relative: 512 roundings of 2^-24 in one direction, more than sums of a thousand
// products come to.
inline constexpr double kNetworkRounding = 0x1p-15;

struct NetworkEntry {
  std::string name, format;
  std::string isa;  // what it says it runs
  bool rival = false;
  Claim claim = Claim::kRounded;
  double rounding = 0.0;                     // of one layer, relative; for kRounded
  std::vector<std::string> variants = {""};  // ways to do the same, of which the fastest counts
  // The problem outlives what is made. batch: rows at a time.
  std::function<std::unique_ptr<Labeller>(const NetworkProblem&, size_t variant, int64_t batch)> make;

  std::string title() const;
};

struct NetworkImplementation {
  std::string title, variant;
  bool rival = false;
  bool f32 = false;             // of the format f32
  int64_t batch = 0;            // the fastest of those that were tried
  std::vector<double> seconds;  // of the whole set, an entry a round
  int64_t differ = 0;           // labels that are not the reference's
  std::vector<SettledRows> settled;
  std::string failure;  // not empty: labels are wrong, or a library refused
};

struct NetworkResult {
  int64_t layers = 0, n = 0, images = 0;
  int threads = 1;
  std::vector<NetworkImplementation> implementations;  // in the order of the entries
};

// Each entry at its best batch size and variant, which an untimed phase looks for; then all in turns.
NetworkResult measure_network(const NetworkProblem& problem, const std::vector<NetworkEntry>& entries,
                              RoundRobinOptions timing);

// Empty, or the first label that breaks the claim. Sets `differ`.
std::string check_labels(const NetworkProblem& problem, const NetworkEntry& entry, const std::vector<uint8_t>& labels,
                         int64_t& differ);

// The lowest index of the greatest of `count`.
uint8_t argmax(const float* values, int64_t count);

// What the others are judged by: the fastest rival, of f32 or of any format; null if there is none.
const NetworkImplementation* best_rival(const NetworkResult& result, bool only_f32);

// predict/<impl>/<format>/<isa>/n:N/m:M/threads:T
std::string benchmark_name(const NetworkEntry& entry, int64_t n, int64_t images, int threads);

// A table a result: rows a second, ratios, differing labels; under it what each form settled.
std::string to_report(const std::vector<NetworkResult>& results);

// What multiplies dense D or W besides idelta's networks: idelta's kernels and the peers (implementations/table.cc).
std::vector<NetworkEntry> network_peers();

}  // namespace idelta::bench
