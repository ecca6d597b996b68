#include "choose_forms.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace idelta::nn {
namespace {

constexpr size_t kMostForms = 4;

// A first form that settles few rows makes the time of a row uneven. Of 1,000 rows a share is known to some 1.5 points,
// so that 72 % of a sample are 70 % of other rows, nearly always.
constexpr double kFirstSettles = 0.72, kCheap = 0.2;

// A form more takes memory and a larger file, so it must make labels cheaper by at least a hundredth.
constexpr double kWorthAForm = 0.99;

// What each row costs is a sum of the same few numbers: rows are counted, so that no order of sums matters.
double cost_of(const std::vector<Candidate>& candidates, const std::vector<size_t>& forms) {
  const size_t rows = candidates.front().settles.size();
  std::vector<size_t> settled_by(forms.size() + 1);
  for (size_t row = 0; row < rows; ++row) {
    size_t f = 0;
    while (f < forms.size() && !candidates[forms[f]].settles[row]) ++f;
    ++settled_by[f];
  }
  double later = static_cast<double>(settled_by.back());
  for (size_t f = 1; f < forms.size(); ++f) later += static_cast<double>(settled_by[f]) * candidates[forms[f]].cost;
  return candidates[forms.front()].cost + later / static_cast<double>(rows);
}

// Calls see(forms) for every ascending choice of `count` of `of`.
template <class See>
void each_choice(size_t of, size_t count, const See& see) {
  std::vector<size_t> forms(count);
  std::iota(forms.begin(), forms.end(), size_t{0});
  for (;;) {
    see(forms);
    size_t i = count;
    while (i > 0 && forms[i - 1] == of - count + i - 1) --i;
    if (i == 0) return;
    ++forms[i - 1];
    std::iota(forms.begin() + static_cast<std::ptrdiff_t>(i), forms.end(), forms[i - 1] + 1);
  }
}

}  // namespace

double Candidate::settled() const {
  const auto count = std::accumulate(settles.begin(), settles.end(), size_t{0});
  return static_cast<double>(count) / static_cast<double>(settles.size());
}

Choice choose_forms(const std::vector<Candidate>& candidates) {
  const auto good_first = [](const Candidate& c) { return c.settled() >= kFirstSettles; };
  const bool demanding = std::any_of(candidates.begin(), candidates.end(),
                                     [&](const Candidate& c) { return c.cost <= kCheap && good_first(c); });
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const std::vector<double> none(candidates.size(), kNone);
  Choice choice = {{}, kNone, none, none};
  for (size_t count = 1; count <= std::min(kMostForms, candidates.size()); ++count) {
    std::vector<size_t> best;
    double least = kWorthAForm * choice.cost;
    each_choice(candidates.size(), count, [&](const std::vector<size_t>& forms) {
      if (demanding && !good_first(candidates[forms.front()])) return;
      const double cost = cost_of(candidates, forms);
      for (size_t f = 0; f < candidates.size(); ++f) {
        double& of = std::binary_search(forms.begin(), forms.end(), f) ? choice.best[f] : choice.other[f];
        of = std::min(of, cost);
      }
      if (cost >= least) return;
      best = forms;
      least = cost;
    });
    if (best.empty()) continue;
    choice.forms = best;
    choice.cost = least;
  }
  return choice;
}

}  // namespace idelta::nn
