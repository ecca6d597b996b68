#include "src/core/plan/partition.h"

#include <algorithm>

#include "src/core/machine/memory.h"

namespace idelta::core {
namespace {

// [0, total) where `shares` of `all` begin and end.
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
  // Rows go with the threads, but evenly where that would leave a strip without any.
  bool in_proportion(int64_t rows) const { return rows * fewest() >= all; }
  Range rows_of(int64_t strip, int64_t rows) const {
    return in_proportion(rows) ? share_of(rows, of(strip), all) : part_of(rows, count, strip);
  }
  int64_t most_rows(int64_t rows, int64_t threads_of_strip) const {
    return in_proportion(rows) ? ceil_div(rows * threads_of_strip, all) : ceil_div(rows, count);
  }
};

// Of a panel that updates change: lines that others wrote are waited for, and in the next update those that wrote them
// wait until they have them back. Panels by themselves are their reader's own if there is one strip of rows. Without
// this a training step took up to 1.5 times as long (n = 1024, m = 16), 1.04 to 1.16 times while forward was counted
// like backward_data, and without the same threads as the update twice (n = 512, m = 1; Zen 5, 2026-11, where a line
// takes 295 ns from one core to the other).
double exchange(const Partition::Work& all, int64_t rows) {
  const auto nr = static_cast<double>(all.tile.nr);
  if (all.traffic.stepped == Stepped::kNot) return 0;
  if (all.traffic.stepped == Stepped::kAcrossPanels) return nr;
  return 2.5 * nr * (1 - static_cast<double>(rows) / static_cast<double>(all.rows * all.unit));
}

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
      most_{work.rows, work.panels} {
  if (threads_ == 1) return;  // a whole call with n = 64, m = 1 takes 190 ns
  Along along = Along::kNothing;
  if (placement.domains() > 1) {
    const double by_rows = cost_along(Along::kRows), by_panels = cost_along(Along::kPanels);
    if (by_panels >= 0) along = Along::kPanels;
    if (by_rows >= 0 && (by_panels < 0 || by_rows <= by_panels)) along = Along::kRows;
  }
  cost_along(along);  // the last one counts
}

// Cuts domains this way, which sets most_; returns the cost of the largest cell, -1 if some thread would get nothing.
double Partition::cost_along(Along along) {
  along_ = along;
  most_ = {0, 0};
  cuts_panels_ = along == Along::kPanels;
  double largest = 0;
  for (int64_t d = 0; d < (along == Along::kNothing ? 1 : placement_.domains()); ++d) {
    const Range threads = along == Along::kNothing ? Range{0, threads_} : placement_.threads_on(d, threads_);
    if (threads.size() == 0) continue;
    const Cell cell = of_domain(threads);
    const Strips strips = strips_for(threads.size(), {cell.rows.size(), cell.panels.size()});
    if (strips.cost < 0) return -1;
    largest = std::max(largest, strips.cost);
    cuts_panels_ |= strips.count < threads.size();
    most_ = {std::max(most_.rows, strips.most.rows), std::max(most_.panels, strips.most.panels)};
  }
  return largest;
}

Cell Partition::of_domain(Range threads) const {
  const Range rows{0, work_.rows}, panels{0, work_.panels};
  return {along_ == Along::kRows ? share_of(work_.rows, threads, threads_) : rows,
          along_ == Along::kPanels ? share_of(work_.panels, threads, threads_) : panels};
}

// The number of strips, each of nearly as many of the threads, whose largest cell costs least; more where equal.
Partition::Strips Partition::strips_for(int64_t threads, Size size) const {
  Strips best{0, -1, {}};
  for (int64_t count = std::min(threads, size.rows); count >= 1; --count) {
    const StripThreads strips{threads, count};
    if (strips.most() > size.panels) break;  // a cell would be empty, and so with fewer strips
    const Size wide{strips.most_rows(size.rows, strips.fewest()), ceil_div(size.panels, strips.fewest())};
    const Size high{strips.most_rows(size.rows, strips.most()), ceil_div(size.panels, strips.most())};
    const double cost = std::max(work_.cost(work_, wide.rows * work_.unit, wide.panels),
                                 work_.cost(work_, high.rows * work_.unit, high.panels));
    if (best.cost < 0 || cost < best.cost) best = {count, cost, {high.rows, wide.panels}};
  }
  return best;
}

Cell Partition::cell(int64_t task) const {
  if (threads_ == 1) return {{0, work_.rows}, {0, work_.panels}};
  Range threads{0, threads_};
  if (along_ != Along::kNothing) {
    int64_t domain = 0;
    while (placement_.threads_on(domain, threads_).end <= task) ++domain;
    threads = placement_.threads_on(domain, threads_);
  }
  const Cell mine = of_domain(threads);
  const StripThreads strips{threads.size(), strips_for(threads.size(), {mine.rows.size(), mine.panels.size()}).count};
  const int64_t thread = task - threads.begin, strip = strips.strip_of(thread);
  const Range rows = strips.rows_of(strip, mine.rows.size());
  const Range panels = part_of(mine.panels.size(), strips.of(strip).size(), thread - strips.of(strip).begin);
  return {{mine.rows.begin + rows.begin, mine.rows.begin + rows.end},
          {mine.panels.begin + panels.begin, mine.panels.begin + panels.end}};
}

// In the time that a row takes of a panel, at one thread's peak. The constants are fitted to where either cut wins on
// two threads (Zen 5, 2026-11; n = 256 to 1024). Before that few rows were always cut by panels, and backward_data took
// up to 1.45 times as long (n = 256, m = 64).
double forward_cost(const Partition::Work& all, int64_t rows, int64_t panels) {
  const auto mr = static_cast<double>(all.tile.mr), nr = static_cast<double>(all.tile.nr);
  const auto tiles = static_cast<double>(ceil_div(rows, all.tile.mr)), height = static_cast<double>(rows) / tiles;
  // A single tile is bound by the stream of D from L3; several, if they are low, by the latency of their sums, and all
  // have to load D.
  const double time = tiles == 1 ? std::max(height, 0.25 * nr) : tiles * (std::max(height, 5.0) + 12 / mr);
  // With panels cut, every task reads all rows; they come from the caches of those that prepared them, or of those that
  // made them in the layer before.
  const bool stepped = all.traffic.stepped != Stepped::kNot;
  const double reading = panels == all.panels ? 0 : all.traffic.prepared ? 0.06 * nr : stepped ? 0.7 : 0.25;
  return (time + exchange(all, rows)) * static_cast<double>(panels) + reading * static_cast<double>(rows);
}

}  // namespace idelta::core
