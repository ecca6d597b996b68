// Formats of one form go first, fastest first, so that the first within the tolerance is the fastest of them. Then
// formats with ranks: what was found limits the rank that is worth a search, and the least rank within the tolerance is
// the fastest.
#include "src/core/formats/automatic.h"

#include <algorithm>
#include <utility>

#include "src/core/base/error.h"
#include "src/core/formats/list.h"

namespace idelta::core {

void FormSearch::run(Extent extent) {
  std::vector<std::pair<double, const Format*>> single;
  for (const Format* format : all_formats()) {
    if (format->ranked) continue;
    if (format->runs(context_)) {
      single.emplace_back(steps(*format, 0), format);
    } else if (format_for(context_, format->id)->id != format->id) {
      considered_.push_back({format, 0, IDELTA_VERDICT_REPLACED, steps(*format_for(context_, format->id), 0)});
    }
  }
  std::stable_sort(single.begin(), single.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [predicted, format] : single) {
    if (!found_ || extent == kAll) try_form(*format, 0);
  }
  for (const Format* format : all_formats()) {
    if (format->ranked) consider_ranks(*format);
  }
}

// No more than half of n: more is slower than dense F32.
int64_t FormSearch::largest_faster_rank(const Format& format) const {
  int64_t rank = (n_ + 1) / 2;
  while (found_ && rank > 0 && steps(format, rank) >= found_->steps) --rank;
  return rank;
}

void FormSearch::consider_ranks(const Format& format) {
  const int64_t most = largest_faster_rank(format);
  if (most > 0) return try_form(format, most);
  considered_.push_back({&format, 1, IDELTA_VERDICT_SLOWER, steps(format, 1)});
}

// A D that the format cannot hold is refused by packing: its entries are not finite, say.
void FormSearch::try_form(const Format& format, int64_t most_rank) {
  PackOptions options = options_;
  options.rank = most_rank;
  Packed packed;
  try {
    packed = format.pack(context_, n_, D_, options);
  } catch (const Failure& failure) {
    if (failure.status() != IDELTA_INVALID_ARGUMENT) throw;
    considered_.push_back({&format, most_rank, IDELTA_VERDICT_UNFIT, steps(format, most_rank)});
    return;
  }
  const int64_t rank = packed.any().rank();
  Considered tried{&format, rank, IDELTA_VERDICT_INEXACT, steps(format, rank)};
  const Norms norms = norms_of(context_, packed);
  if (packed.forward) tried.certificate = certificate_of(context_, *packed.forward, norms, options.identity_scale);
  if (packed.backward) {
    tried.certificate_backward_data = certificate_of(context_, *packed.backward, norms, options.identity_scale);
  }
  tried.error = packed_error(context_, packed, options);
  if (tried.error <= options.tolerance) {
    tried.verdict = IDELTA_VERDICT_SLOWER;
    if (!found_ || tried.steps < found_->steps) {
      for (Considered& other : considered_) {
        if (other.verdict == IDELTA_VERDICT_CHOSEN) other.verdict = IDELTA_VERDICT_SLOWER;
      }
      tried.verdict = IDELTA_VERDICT_CHOSEN;
      found_ = Found{&format, std::move(packed), tried.steps};
    }
  }
  considered_.push_back(tried);
}

const Considered& FormSearch::least_error() const {
  return *std::min_element(considered_.begin(), considered_.end(),
                           [](const Considered& a, const Considered& b) { return a.error < b.error; });
}

std::vector<Considered> FormSearch::fastest_first() const {
  std::vector<Considered> sorted = considered_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Considered& a, const Considered& b) { return a.steps < b.steps; });
  return sorted;
}

}  // namespace idelta::core
