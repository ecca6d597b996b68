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
#include "bench/sampled_rows.h"
#include "bench/verify.h"

namespace idelta::bench {

namespace {

// Something to measure, what is proved of it, and what it may err by.
struct Entry {
  ImplementationEntry entry;
  double certificate, bound;
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

// All forms of D, or of W = I + D with no identity apart. Returns them.
std::vector<PackedForm> add_forms(const Context& context, int64_t n, const Buffer& matrix, const char* name,
                                  float identity_scale, std::vector<Entry>& entries) {
  std::vector<PackedForm> forms;
  for (const FormChoice& choice : choices(n, identity_scale)) {
    const PackedForm& form = forms.emplace_back(packed_form(context, n, matrix.data(), choice));
    ImplementationEntry entry = idelta_entry();
    entry.name = name;
    entry.format = form.name;
    entry.make = [delta = form.delta](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
      return std::make_unique<Idelta>(problem, inputs, delta);
    };
    const double certificate = form.delta->info().certificate;
    entries.push_back({std::move(entry), certificate, certificate});
  }
  return forms;
}

// Dense peers, and OpenBLAS with the factors that idelta found: truncating D is what both err by.
void add_peers(const Problem& problem, const std::vector<PackedForm>& forms, std::vector<Entry>& entries) {
  for (ImplementationEntry& entry : all_implementations()) {
    if (!entry.rival || rank_of(entry.format) > 0 || !entry.has(problem)) continue;
    entries.push_back({std::move(entry), FrontierPoint::kNone, FrontierPoint::kNone});
  }
  const int64_t n = problem.n;
  for (const PackedForm& form : forms) {
    const DeltaInfo info = form.delta->info();
    if (info.format != IDELTA_FORMAT_LOW_RANK || info.tail != IDELTA_TAIL_NONE) continue;
    auto factors = std::make_shared<Factors>(Factors{n, info.rank, Buffer(n * info.rank), Buffer(info.rank * n)});
    form.delta->unpack_factors(factors->U.data(), info.rank, factors->V.data(), n);
    ImplementationEntry entry = openblas_low_rank_entry(info.rank);
    entry.make = [factors](const Problem& p, const Inputs& inputs) -> std::unique_ptr<Implementation> {
      return std::make_unique<OpenblasLowRank>(p, inputs, *factors);
    };
    entries.push_back({std::move(entry), FrontierPoint::kNone, info.certificate});
  }
}

// Dense peers are judged element by element, all others by what is proved of their form.
double checked_error(const Problem& problem, const Entry& entry, Implementation& made, const SampledRows& rows) {
  const std::string name = entry.entry.name + "/" + entry.entry.format;
  if (!std::isfinite(entry.bound)) {
    const std::string failure = verify(problem, made, entry.entry).failure;
    if (!failure.empty()) throw std::runtime_error(name + ": " + failure);
  }
  return rows.largest_error(name, made.results().y, entry.bound);
}

}  // namespace

LayerFrontier measure_frontier(int64_t n, int64_t m, int threads, RoundRobinOptions timing) {
  const Problem problem{.pass = "forward", .n = n, .m = m, .threads = threads};
  const ThreadScope scope(threads);
  const Context& context = context_for(problem.isa, threads);
  Inputs inputs = random_inputs(problem);
  inputs.delta = decaying_delta(n);
  std::vector<Entry> entries;
  const std::vector<PackedForm> forms = add_forms(context, n, inputs.delta, "idelta", 1.0f, entries);
  add_forms(context, n, plus_identity(inputs.delta, n), "plain", 0.0f, entries);
  add_peers(problem, forms, entries);

  std::vector<std::unique_ptr<Implementation>> made;
  std::vector<Participant> participants;
  for (const Entry& entry : entries) {
    made.push_back(entry.entry.make(problem, inputs));
    participants.push_back({.run = [one = made.back().get()] { one->run(); }, .prepare = nullptr});
  }
  timing.settles = threads > 1;
  const RoundRobin measured = round_robin(participants, timing);
  const SampledRows rows(m, n, inputs.x, inputs.delta,
                         [&](double z, int64_t j) { return std::clamp(z + double(inputs.bias[j]), -1.0, 1.0); });
  LayerFrontier frontier{n, m, threads, {}};
  for (size_t e = 0; e < entries.size(); ++e) {
    const ImplementationEntry& entry = entries[e].entry;
    const Quartiles seconds = quartiles(measured.seconds[e]);
    const double error = checked_error(problem, entries[e], *made[e], rows);
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
