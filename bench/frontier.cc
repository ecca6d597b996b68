// See frontier.h.
#include "bench/frontier.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <utility>

#include "bench/decaying.h"
#include "bench/formats.h"
#include "bench/forms.h"
#include "bench/implementation.h"
#include "bench/implementations/idelta.h"
#include "bench/implementations/low_rank.h"
#include "bench/reference.h"

namespace idelta::bench {

namespace {

// Something to measure, and what is proved of it.
struct Entry {
  ImplementationEntry entry;
  double certificate;
};

Buffer plus_identity(const Buffer& D, int64_t n) {
  Buffer W;
  W.copy_from(D);
  for (int64_t i = 0; i < n; ++i) W[i * n + i] += 1.0f;
  return W;
}

std::vector<FormChoice> choices(int64_t n, float identity_scale) {
  std::vector<FormChoice> all;
  for (const idelta_format format : formats_on(IDELTA_ISA_AUTO)) {
    all.push_back({.format = format, .identity_scale = identity_scale});
  }
  all.push_back({.format = IDELTA_FORMAT_INT8, .identity_scale = identity_scale});
  for (const int64_t rank : kRanks) {
    if (!pays(rank, n)) continue;
    for (const idelta_tail tail : {IDELTA_TAIL_NONE, IDELTA_TAIL_INT8}) {
      all.push_back({.format = IDELTA_FORMAT_LOW_RANK, .rank = rank, .tail = tail, .identity_scale = identity_scale});
    }
  }
  return all;
}

// All forms of D, or of W = I + D with no identity apart.
void add_forms(const Context& context, int64_t n, const Buffer& matrix, const char* name, float identity_scale,
               std::vector<Entry>& entries) {
  for (const FormChoice& choice : choices(n, identity_scale)) {
    const PackedForm form = packed_form(context, n, matrix.data(), choice);
    ImplementationEntry entry = idelta_entry();
    entry.name = name;
    entry.format = form.name;
    entry.make = [delta = form.delta](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
      return std::make_unique<Idelta>(problem, inputs, delta);
    };
    entries.push_back({std::move(entry), form.delta->info().certificate});
  }
}

// Dense peers, and OpenBLAS with the factors that idelta found.
void add_peers(const Context& context, const Problem& problem, const Buffer& D, std::vector<Entry>& entries) {
  for (ImplementationEntry& entry : all_implementations()) {
    if (!entry.rival || rank_of(entry.format) > 0 || !entry.has(problem)) continue;
    entries.push_back({std::move(entry), FrontierPoint::kNone});
  }
  const int64_t n = problem.n;
  for (const int64_t rank : kRanks) {
    if (!pays(rank, n)) continue;
    const PackedForm form = packed_form(context, n, D.data(), {.format = IDELTA_FORMAT_LOW_RANK, .rank = rank});
    auto factors = std::make_shared<Factors>(Factors{n, form.delta->info().rank, Buffer(), Buffer()});
    factors->U = Buffer(n * factors->rank);
    factors->V = Buffer(factors->rank * n);
    form.delta->unpack_factors(factors->U.data(), factors->rank, factors->V.data(), n);
    ImplementationEntry entry = openblas_low_rank_entry(rank);
    entry.make = [factors](const Problem& p, const Inputs& inputs) -> std::unique_ptr<Implementation> {
      return std::make_unique<OpenblasLowRank>(p, inputs, *factors);
    };
    entries.push_back({std::move(entry), FrontierPoint::kNone});
  }
}

// The largest error of rows that are spread evenly, relative to x. hard_tanh is 1-Lipschitz.
double largest_error(const Problem& problem, const Inputs& inputs, const LayerMemory& memory) {
  constexpr int64_t kRows = 32;
  const int64_t n = problem.n, step = std::max<int64_t>(1, problem.m / kRows);
  double largest = 0.0;
  for (int64_t i = 0; i < problem.m; i += step) {
    const RowProduct xD = row_product(i, n, n, {inputs.x.data(), n, false}, {inputs.delta.data(), n, false});
    double error = 0.0, size = 0.0;
    for (int64_t j = 0; j < n; ++j) {
      const double x = inputs.x[i * n + j];
      const double y = std::clamp(x + xD.value[size_t(j)] + double(inputs.bias[j]), -1.0, 1.0);
      error += (double(memory.y[i * n + j]) - y) * (double(memory.y[i * n + j]) - y);
      size += x * x;
    }
    const double relative = std::sqrt(error / size);
    if (!(relative <= largest)) largest = relative;  // NaN stays
  }
  return largest;
}

}  // namespace

LayerFrontier measure_frontier(int64_t n, int64_t m, int threads, RoundRobinOptions timing) {
  const Problem problem{.pass = "forward", .n = n, .m = m, .threads = threads};
  const ThreadScope scope(threads);
  const Context& context = context_for(problem.isa, threads);
  Inputs inputs = random_inputs(problem);
  inputs.delta = decaying_delta(n);
  std::vector<Entry> entries;
  add_forms(context, n, inputs.delta, "idelta", 1.0f, entries);
  add_forms(context, n, plus_identity(inputs.delta, n), "plain", 0.0f, entries);
  add_peers(context, problem, inputs.delta, entries);

  std::vector<std::unique_ptr<Implementation>> made;
  std::vector<Participant> participants;
  for (const Entry& entry : entries) {
    made.push_back(entry.entry.make(problem, inputs));
    participants.push_back({.run = [one = made.back().get()] { one->run(); }, .prepare = nullptr});
  }
  timing.settles = threads > 1;
  const RoundRobin measured = round_robin(participants, timing);
  LayerFrontier frontier{n, m, threads, {}};
  for (size_t e = 0; e < entries.size(); ++e) {
    const ImplementationEntry& entry = entries[e].entry;
    const Quartiles seconds = quartiles(measured.seconds[e]);
    const double error = largest_error(problem, inputs, made[e]->results());
    // The bias and the activation round beyond the certificate, which is of z with b = 0.
    if (!(error <= entries[e].certificate + 8 * kUnit)) {
      throw std::runtime_error(entry.name + "/" + entry.format + " errs by " + std::to_string(error) +
                               ", more than its certificate, " + std::to_string(entries[e].certificate));
    }
    frontier.points.push_back({entry.name, entry.format, entry.isa(problem.isa), seconds.median, seconds.low,
                               seconds.high, error, entries[e].certificate, entry.name == "idelta"});
  }
  std::stable_sort(frontier.points.begin(), frontier.points.end(),
                   [](const FrontierPoint& a, const FrontierPoint& b) { return a.seconds < b.seconds; });
  return frontier;
}

std::vector<bool> on_frontier(const LayerFrontier& layer) {
  std::vector<bool> best;
  double least = FrontierPoint::kNone;
  for (const FrontierPoint& point : layer.points) {  // fastest first
    best.push_back(point.error < least);
    least = std::min(least, point.error);
  }
  return best;
}

// What is proved to be the dense network's label: with a guarantee all, of dense f32 itself all, of a form that is
// tried alone what it certified.
NetworkFrontier network_frontier(const NetworkResult& result) {
  NetworkFrontier frontier{result.layers, result.n, result.images, result.threads, {}};
  for (const NetworkImplementation& one : result.implementations) {
    if (!one.failure.empty()) throw std::runtime_error(one.title + ": " + one.failure);
    double certified = one.title == "idelta" ? 1.0 : 0.0;
    for (const SettledRows& rows : one.settled) certified += double(rows.settled) / double(result.images);
    frontier.points.push_back(
        {one.title, double(result.images) / quartiles(one.seconds).median, std::min(certified, 1.0), one.differ});
  }
  return frontier;
}

}  // namespace idelta::bench
