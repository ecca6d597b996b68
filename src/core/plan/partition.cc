#include "src/core/plan/partition.h"

#include <algorithm>

#include "src/core/machine/memory.h"

namespace idelta::core {
namespace {

// The part of [0, total) that belongs to `shares` of `all` shares.
Range share_of(int64_t total, Range shares, int64_t all) {
  return {total * shares.begin / all, total * shares.end / all};
}

// Threads cut into `count` strips that differ by at most one, the larger first.
struct StripThreads {
  int64_t all, count;
  int64_t fewest() const { return all / count; }
  int64_t most() const { return ceil_div(all, count); }

  Range of(int64_t strip) const { return part_of(all, count, strip); }
  int64_t strip_of(int64_t thread) const {
    const int64_t larger = all % count, end = larger * most();
    return thread < end ? thread / most() : larger + (thread - end) / fewest();
  }
  // Strips get rows in proportion to their threads; evenly, if some would get none.
  bool in_proportion(int64_t rows) const { return rows * fewest() >= all; }
  Range rows_of(int64_t strip, int64_t rows) const {
    return in_proportion(rows) ? share_of(rows, of(strip), all) : part_of(rows, count, strip);
  }
  int64_t most_rows(int64_t rows, int64_t threads_of_strip) const {
    return in_proportion(rows) ? ceil_div(rows * threads_of_strip, all) : ceil_div(rows, count);
  }
};

}  // namespace

Placement::Placement(const Topology& topology) : first_{0} {
  for (const Domain& domain : topology) first_.push_back(first_.back() + domain.cores);
}

Range Placement::threads_on(int64_t domain, int64_t threads) const {
  const auto at = static_cast<size_t>(domain);
  const Range cores{first_[at], first_[at + 1]};
  if (threads > first_.back()) return share_of(threads, cores, first_.back());
  return {std::min(cores.begin, threads), std::min(cores.end, threads)};
}

Partition::Partition(const Placement& placement, int64_t threads, const Work& work)
    : placement_(placement),
      work_(work),
      threads_(threads == 1 ? 1 : std::clamp(threads, int64_t{1}, work.rows * work.panels)),
      cut_(threads_ == 1 ? Cut{Along::kNothing, 0, {work.rows, work.panels}, false} : cheapest_cut()) {}

Partition::Cut Partition::cheapest_cut() const {
  if (placement_.domains() > 1) {
    const Cut by_rows = cut(Along::kRows), by_panels = cut(Along::kPanels);
    if (by_rows.cost >= 0 && (by_panels.cost < 0 || by_rows.cost <= by_panels.cost)) return by_rows;
    if (by_panels.cost >= 0) return by_panels;
  }
  return cut(Along::kNothing);
}

Partition::Cut Partition::cut(Along along) const {
  Cut cut{along, 0, {0, 0}, along == Along::kPanels};
  for (int64_t d = 0; d < (along == Along::kNothing ? 1 : placement_.domains()); ++d) {
    const Range threads = along == Along::kNothing ? Range{0, threads_} : placement_.threads_on(d, threads_);
    if (threads.size() == 0) continue;
    const Cell cell = of_domain(along, threads);
    const Strips strips = strips_for(threads.size(), {cell.rows.size(), cell.panels.size()});
    if (strips.cost < 0) return {along, -1, {0, 0}, false};
    cut.cost = std::max(cut.cost, strips.cost);
    cut.cuts_panels |= strips.count < threads.size();
    cut.most = {std::max(cut.most.rows, strips.most.rows), std::max(cut.most.panels, strips.most.panels)};
  }
  return cut;
}

Cell Partition::of_domain(Along along, Range threads) const {
  const Range rows{0, work_.rows}, panels{0, work_.panels};
  return {along == Along::kRows ? share_of(work_.rows, threads, threads_) : rows,
          along == Along::kPanels ? share_of(work_.panels, threads, threads_) : panels};
}

// The number of strips whose largest cell costs least; of equal ones the largest number.
Partition::Strips Partition::strips_for(int64_t threads, Size size) const {
  Strips best{0, -1, {}};
  for (int64_t count = std::min(threads, size.rows); count >= 1; --count) {
    const StripThreads strips{threads, count};
    if (strips.most() > size.panels) break;  // this and fewer strips would leave a cell empty
    const Size wide{strips.most_rows(size.rows, strips.fewest()), ceil_div(size.panels, strips.fewest())};
    const Size high{strips.most_rows(size.rows, strips.most()), ceil_div(size.panels, strips.most())};
    const double cost = count == work_.strips ? 0
                                              : std::max(work_.cost(work_, wide.rows, wide.panels),
                                                         work_.cost(work_, high.rows, high.panels));
    if (best.cost < 0 || cost < best.cost) best = {count, cost, {high.rows, wide.panels}};
  }
  return best;
}

Cell Partition::cell(int64_t task) const {
  if (threads_ == 1) return {{0, work_.rows}, {0, work_.panels}};
  Range threads{0, threads_};
  if (cut_.along != Along::kNothing) {
    int64_t domain = 0;
    while (placement_.threads_on(domain, threads_).end <= task) ++domain;
    threads = placement_.threads_on(domain, threads_);
  }
  const Cell mine = of_domain(cut_.along, threads);
  const StripThreads strips{threads.size(), strips_for(threads.size(), {mine.rows.size(), mine.panels.size()}).count};
  const int64_t thread = task - threads.begin, strip = strips.strip_of(thread);
  const Range rows = strips.rows_of(strip, mine.rows.size());
  const Range panels = part_of(mine.panels.size(), strips.of(strip).size(), thread - strips.of(strip).begin);
  return {{mine.rows.begin + rows.begin, mine.rows.begin + rows.end},
          {mine.panels.begin + panels.begin, mine.panels.begin + panels.end}};
}

double multiply_cost(const Partition::Work& all, int64_t rows, int64_t panels) {
  return multiply_steps(kCostModel, all.shape, rows, panels, all.panels);
}

}  // namespace idelta::core
