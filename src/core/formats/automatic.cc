// Formats of one form go first, fastest first, so that the first within the tolerance is the fastest of them. Then
// LOW_RANK without and with a tail: what was found limits the rank that is worth a search, and the least rank within
// the tolerance is the fastest.
#include "src/core/formats/automatic.h"

#include <algorithm>
#include <utility>

#include "src/core/base/error.h"
#include "src/core/formats/list.h"

namespace idelta::core {

void FormSearch::run(Extent extent) {
  std::vector<std::pair<double, Form>> single;
  for (const Format* format : all_formats()) {
    if (format->ranked) continue;
    if (format->runs(context_)) {
      single.emplace_back(steps({format}, 0), Form{format});
    } else if (const Format* other = format_for(context_, format->id); other->id != format->id) {
      considered_.push_back({{format}, 0, IDELTA_VERDICT_REPLACED, steps({other}, 0)});
    }
  }
  std::stable_sort(single.begin(), single.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [predicted, form] : single) {
    if (!found_ || extent == kAll) try_form(form, 0);
  }
  for (const Format* format : all_formats()) {
    if (!format->ranked) continue;
    for (const idelta_tail tail : {IDELTA_TAIL_NONE, IDELTA_TAIL_INT8}) consider_ranks({format, tail});
  }
}

// No more than half of n: more is slower than dense F32.
int64_t FormSearch::largest_faster_rank(const Form& form) const {
  int64_t rank = (n_ + 1) / 2;
  while (found_ && rank > 0 && steps(form, rank) >= found_->steps) --rank;
  return rank;
}

void FormSearch::consider_ranks(const Form& form) {
  const int64_t most = largest_faster_rank(form);
  if (most > 0) return try_form(form, most);
  considered_.push_back({form, 1, IDELTA_VERDICT_SLOWER, steps(form, 1)});
}

// A D that the format cannot hold is refused by packing: its entries are not finite, say.
void FormSearch::try_form(const Form& form, int64_t most_rank) {
  PackOptions options = options_;
  options.rank = most_rank;
  options.tail = form.tail;
  Packed packed;
  try {
    packed = form.format->pack(context_, n_, D_, options);
  } catch (const Failure& failure) {
    if (failure.status() != IDELTA_INVALID_ARGUMENT) throw;
    considered_.push_back({form, most_rank, IDELTA_VERDICT_UNFIT, steps(form, most_rank)});
    return;
  }
  const int64_t rank = packed.any().rank();
  Considered tried{form, rank, IDELTA_VERDICT_INEXACT, steps(form, rank)};
  if (packed.forward) tried.certificate = certificate_of(context_, packed, *packed.forward, options.identity_scale);
  if (packed.backward) {
    tried.certificate_backward_data = certificate_of(context_, packed, *packed.backward, options.identity_scale);
  }
  tried.error = packed_error(context_, packed, options);
  compare(tried, std::move(packed));
}

// Takes what is within the tolerance and faster than what was found.
void FormSearch::compare(Considered tried, Packed packed) {
  if (tried.error <= options_.tolerance) tried.verdict = IDELTA_VERDICT_SLOWER;
  if (tried.error <= options_.tolerance && (!found_ || tried.steps < found_->steps)) {
    for (Considered& other : considered_) {
      if (other.verdict == IDELTA_VERDICT_CHOSEN) other.verdict = IDELTA_VERDICT_SLOWER;
    }
    tried.verdict = IDELTA_VERDICT_CHOSEN;
    found_ = Found{tried.form, std::move(packed), tried.steps};
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
