// Which thread works on which part of a row x panel grid, on a machine of several L3 caches and nodes: pure functions.
// No result depends on this.
//
// A domain is the cores that share an L3. Threads are on cores in order of domains, and domains in order of nodes. Each
// domain, and so each node, gets contiguous rows in proportion to its threads (or panels, if there are few rows). In a
// domain the rows are cut into strips, and the panels of a strip among its threads:
//
//   node 0                     node 1                      16 threads, 2 nodes of 2 domains of 4 cores,
//   domain 0     domain 1      domain 2     domain 3       many rows, 2 strips a domain
//   | 0 | 1 |    | 4 | 5 |     | 8 | 9 |    |12 |13 |
//   | 2 | 3 |    | 6 | 7 |     |10 |11 |    |14 |15 |      domain 0 has the first rows, domain 1 the next, ...
//
// Each part of D that a domain reads comes into its L3 once and serves all its strips. Each row of x, y, dD and state
// belongs to the same node in every call, and is in that node's memory if a call of idelta touched it first. If few
// rows make the domains cut panels, they are cut as in pack_panels(), so that their pages are local, too.
//
// Without IDELTA_BIND=1, which binds the pool's threads, the machine counts as one domain. It is off by default because
// two processes that both bind would share the first cores.
#ifndef IDELTA_CORE_PLAN_PARTITION_H
#define IDELTA_CORE_PLAN_PARTITION_H

#include <cstdint>
#include <vector>

#include "src/core/plan/blocking.h"
#include "src/core/plan/cost_model.h"

namespace idelta::core {

// Which threads run on which domain.
class Placement {
 public:
  explicit Placement(const Topology& topology);

  int64_t domains() const { return static_cast<int64_t>(first_.size()) - 1; }
  // Of `threads` threads those on this domain: one for each core; with more threads than cores, in proportion.
  Range threads_on(int64_t domain, int64_t threads) const;

 private:
  std::vector<int64_t> first_;  // core of each domain, and the number of cores
};

// What a task works on.
struct Cell {
  Range rows, panels;
};

class Partition {
 public:
  struct Work {
    int64_t rows, panels;
    double (*cost)(const Work& all, int64_t rows, int64_t panels);  // of a task, in any unit
    MultiplyShape shape{};                                          // for multiply_cost
    int64_t strips = 0;                                             // of each domain; 0: chosen by cost
  };

  // At most `threads` tasks.
  Partition(const Placement& placement, int64_t threads, const Work& work);

  int64_t tasks() const { return threads_; }  // task i is thread i's; none is empty
  Cell cell(int64_t task) const;
  bool cuts_panels() const { return cut_.cuts_panels; }  // some cell has only a part of them

  // Upper bounds over all cells.
  int64_t most_rows() const { return cut_.most.rows; }
  int64_t most_panels() const { return cut_.most.panels; }

 private:
  enum class Along { kRows, kPanels, kNothing };  // how the work is cut over domains
  struct Size {
    int64_t rows, panels;
  };
  struct Strips {
    int64_t count;
    double cost;  // of the largest cell; below 0: cannot be
    Size most;
  };
  struct Cut {
    Along along;
    double cost;  // of the largest cell; below 0: cannot be
    Size most;    // over all cells
    bool cuts_panels;
  };

  Cut cut(Along along) const;
  Cut cheapest_cut() const;
  Cell of_domain(Along along, Range threads) const;
  Strips strips_for(int64_t threads, Size size) const;

  const Placement& placement_;
  Work work_;
  int64_t threads_;
  Cut cut_;
};

// For forward and backward_data. It cuts few rows by panels, so that each task reads only a part of D.
double multiply_cost(const Partition::Work& all, int64_t rows, int64_t panels);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_PARTITION_H
