// The partition of work over domains and threads, on machines that are not here.
#include "src/core/plan/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "src/core/base/range.h"

#include "src/core/plan/weights_plan.h"

namespace idelta::core {
namespace {

Topology even(int64_t nodes, int64_t domains_a_node, int64_t cores) {
  Topology topology;
  for (int64_t i = 0; i < nodes * domains_a_node; ++i) topology.push_back({i / domains_a_node, cores});
  return topology;
}

struct Machine {
  const char* name;
  Topology topology;

  int64_t cores() const {
    int64_t sum = 0;
    for (const Domain& domain : topology) sum += domain.cores;
    return sum;
  }
};
const Machine kMachines[] = {{"one domain", even(1, 1, 64)},
                             {"64 cores, 1 node of 8 L3", even(1, 8, 8)},
                             {"192 cores, 4 nodes of 6 L3", even(4, 6, 8)},
                             {"192 cores, 2 nodes of 1 L3", even(2, 1, 96)},
                             {"uneven", {{0, 8}, {0, 3}, {1, 8}, {2, 1}, {2, 5}}}};

constexpr TileShape kTile{14, 32};

// Of a machine with caches as today's, and n = 32 panels of D in memory.
constexpr MultiplyShape shape(int64_t words, bool prepared = false) {
  return {.tile = kTile,
          .words = words,
          .block_rows = 64,
          .threads = 2,
          .prepared = prepared,
          .caches = {32 << 10, 1 << 20, 4 << 20}};
}

struct Kind {
  const char* name;
  double (*cost)(const Partition::Work& all, int64_t rows, int64_t panels);
  MultiplyShape shape;
};
constexpr Kind kKinds[] = {{"forward", multiply_cost, shape(794)},
                           {"forward of prepared rows", multiply_cost, shape(794, true)},
                           {"forward of a D in memory", multiply_cost, shape(100000)},
                           {"weights", weights_cost, {}}};
constexpr int64_t kRows[] = {1, 2, 5, 37, 64, 585, 4096}, kPanels[] = {1, 2, 25, 97};

struct Case {
  const Machine& machine;
  Placement placement;
  int64_t threads, rows, panels;
  Partition partition;

  int64_t domain_of(int64_t task) const {
    int64_t domain = 0;
    while (placement.threads_on(domain, partition.tasks()).end <= task) ++domain;
    return domain;
  }
};

// Calls check for every machine, cost, shape of work and number of threads up to twice the cores.
template <class Check>
void for_each_case(Check&& check) {
  for (const Machine& machine : kMachines) {
    const Placement placement(machine.topology);
    const int64_t cores = machine.cores();
    for (const int64_t threads : {int64_t{1}, int64_t{2}, int64_t{13}, cores / 2, cores - 1, cores, 2 * cores}) {
      for (const Kind& kind : kKinds) {
        for (const int64_t rows : kRows) {
          for (const int64_t panels : kPanels) {
            SCOPED_TRACE(std::string(machine.name) + ", " + kind.name + ", " + std::to_string(threads) + " threads, " +
                         std::to_string(rows) + " x " + std::to_string(panels));
            check(Case{machine, placement, threads, rows, panels,
                       Partition(placement, threads, {rows, panels, kind.cost, kind.shape})});
            if (::testing::Test::HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Partition, EveryRowOfEveryPanelIsInOneCellAndNoCellIsEmpty) {
  for_each_case([](const Case& c) {
    std::vector<int> times(static_cast<size_t>(c.rows * c.panels));
    ASSERT_GE(c.partition.tasks(), 1);
    ASSERT_LE(c.partition.tasks(), c.threads);
    for (int64_t task = 0; task < c.partition.tasks(); ++task) {
      const Cell cell = c.partition.cell(task);
      ASSERT_GT(cell.rows.size() * cell.panels.size(), 0) << "task " << task;
      ASSERT_LE(cell.rows.size(), c.partition.most_rows()) << "task " << task;
      ASSERT_LE(cell.panels.size(), c.partition.most_panels()) << "task " << task;
      for (int64_t row = cell.rows.begin; row < cell.rows.end; ++row) {
        for (int64_t p = cell.panels.begin; p < cell.panels.end; ++p)
          ++times.at(static_cast<size_t>(row * c.panels + p));
      }
    }
    EXPECT_EQ(times, std::vector<int>(times.size(), 1));
  });
}

// What decides whether a task may go through all panels by itself: one domain's cut is enough.
TEST(Partition, KnowsWhetherAnyCellHasFewerPanels) {
  for_each_case([](const Case& c) {
    bool cut = false;
    for (int64_t task = 0; task < c.partition.tasks(); ++task) cut |= c.partition.cell(task).panels.size() < c.panels;
    EXPECT_EQ(cut, c.partition.cuts_panels());
  });
}

TEST(Partition, UsesEveryThreadThatCanHaveWork) {
  for_each_case([](const Case& c) { EXPECT_EQ(std::min(c.threads, c.rows * c.panels), c.partition.tasks()); });
}

// The largest cell against the mean, each of its sides allowed one row or panel more and the share of a strip that has
// a thread fewer than others.
TEST(Partition, NoCellIsMuchLargerThanTheMean) {
  for_each_case([](const Case& c) {
    int64_t largest = 0;
    for (int64_t task = 0; task < c.partition.tasks(); ++task) {
      const Cell cell = c.partition.cell(task);
      largest = std::max(largest, (cell.rows.size() - 1) * (cell.panels.size() - 1));
    }
    EXPECT_LE(static_cast<double>(largest * c.partition.tasks()), 1.01 * static_cast<double>(c.rows * c.panels));
  });
}

TEST(Partition, ManyRowsAreBalancedWithinOneRow) {
  for (const Machine& machine : kMachines) {
    const Placement placement(machine.topology);
    for (const int64_t threads : {machine.cores() / 2, machine.cores()}) {
      const Partition partition(placement, threads, {1000 * threads + 7, 25, multiply_cost, shape(794)});
      EXPECT_FALSE(partition.cuts_panels()) << machine.name;
      for (int64_t task = 0; task < threads; ++task) {
        const int64_t rows = partition.cell(task).rows.size();
        EXPECT_TRUE(rows == 1000 || rows == 1001) << machine.name << ", task " << task << ": " << rows;
      }
    }
  }
}

TEST(Partition, ANodesRowsAreContiguousOrAllAndItsPanelsToo) {
  for_each_case([](const Case& c) {
    if (c.rows * c.panels < 4 * c.threads) return;  // too little to be cut over domains
    for (int64_t node = 0; node <= c.machine.topology.back().node; ++node) {
      Range rows{c.rows, 0}, panels{c.panels, 0};
      int64_t area = 0;
      for (int64_t task = 0; task < c.partition.tasks(); ++task) {
        if (c.machine.topology[static_cast<size_t>(c.domain_of(task))].node != node) continue;
        const Cell cell = c.partition.cell(task);
        rows = {std::min(rows.begin, cell.rows.begin), std::max(rows.end, cell.rows.end)};
        panels = {std::min(panels.begin, cell.panels.begin), std::max(panels.end, cell.panels.end)};
        area += cell.rows.size() * cell.panels.size();
      }
      if (area == 0) continue;  // has no threads
      EXPECT_EQ(rows.size() * panels.size(), area) << "node " << node << " works outside of its block";
    }
  });
}

// In a domain, two threads have the same rows and different panels, or different rows.
TEST(Partition, PanelsOfAThreadAreItsOwnWithinItsRows) {
  for_each_case([](const Case& c) {
    for (int64_t task = 1; task < c.partition.tasks(); ++task) {
      const Cell before = c.partition.cell(task - 1), cell = c.partition.cell(task);
      const bool same_rows = before.rows == cell.rows && before.panels.end == cell.panels.begin;
      const bool next_rows = before.rows.end == cell.rows.begin;
      const bool next_domain = c.domain_of(task - 1) != c.domain_of(task);
      EXPECT_TRUE(same_rows || next_rows || next_domain) << "task " << task;
    }
  });
}

TEST(Partition, ManyRowsAreCutByRowsOneRowByPanels) {
  const Placement placement(even(4, 6, 8));
  EXPECT_FALSE(Partition(placement, 192, {40960, 97, multiply_cost, shape(794)}).cuts_panels());
  const Partition one(placement, 96, {1, 97, multiply_cost, shape(794)});
  for (int64_t task = 0; task < one.tasks(); ++task) EXPECT_LE(one.cell(task).panels.size(), 2);
}

// Two threads: each should stream its own half of a D that lies in memory, as long as they have to wait for it.
TEST(Partition, FewRowsOfAStreamedMatrixAreCutByPanels) {
  const Placement placement(even(1, 1, 2));
  const auto cuts_panels = [&](int64_t m, const MultiplyShape& shape) {
    return Partition(placement, 2, {m, ceil_div(shape.words, kTile.nr), multiply_cost, shape}).cuts_panels();
  };
  for (const int64_t n : {1536, 2048, 3082, 4096}) EXPECT_TRUE(cuts_panels(15, shape(n))) << n;
  EXPECT_FALSE(cuts_panels(16, shape(256))) << "D stays in L2";
  EXPECT_FALSE(cuts_panels(2048, shape(3082))) << "bound by arithmetic either way";
  EXPECT_FALSE(cuts_panels(64, shape(64, true))) << "less than rows from another core's cache cost";
}

// For measuring each of them, and for tests that no cut changes a bit.
TEST(Partition, AnyNumberOfStripsCanBeAskedFor) {
  const Placement placement(even(1, 1, 8));
  for (const int64_t strips : {1, 2, 3, 8}) {
    const Partition partition(placement, 8, {100, 25, multiply_cost, shape(794), strips});
    std::vector<int64_t> begins;
    for (int64_t task = 0; task < 8; ++task) begins.push_back(partition.cell(task).rows.begin);
    std::sort(begins.begin(), begins.end());
    EXPECT_EQ(strips, std::unique(begins.begin(), begins.end()) - begins.begin());
  }
}

TEST(Placement, FewThreadsFillTheFirstDomainsManyShareThemAll) {
  const Placement placement(even(2, 2, 4));
  EXPECT_EQ((Range{0, 4}), placement.threads_on(0, 6));
  EXPECT_EQ((Range{4, 6}), placement.threads_on(1, 6));
  EXPECT_EQ(0, placement.threads_on(2, 6).size());
  for (int64_t domain = 0; domain < 4; ++domain) EXPECT_EQ(8, placement.threads_on(domain, 32).size());
}

}  // namespace
}  // namespace idelta::core
