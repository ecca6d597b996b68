// Cache blocks and the cut of work into tasks: pure functions of sizes, tested without a CPU.
//
// None of this changes a bit of any result (kernels.h, Numerics); it only decides what stays in which cache.
#ifndef IDELTA_CORE_BLOCKING_H
#define IDELTA_CORE_BLOCKING_H

#include <cstdint>

namespace idelta::core {

struct CacheSizes {
  int64_t l1 = 32 << 10, l2 = 512 << 10, l3 = 0;  // bytes one core may count on; L3 informs only
};

struct TileShape {
  int64_t mr, nr;
};

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

// Part `index` of [0, total) cut into `parts` that differ by at most one.
Range part_of(int64_t total, int64_t parts, int64_t index);

// Rows a tile when `rows` rows are cut into as few tiles of at most mr as possible, evened.
int64_t even_tile(int64_t rows, int64_t mr);

// forward and backward_data: a task packs mc rows of x (all of k), then for every block of kc goes through the panels
// of D, and for each panel through its row tiles:
//   a slice of one panel, kc x nr, and the slice of x, mc x kc, stay in L2; a row tile, mr x kc, passes through L1.
struct ForwardBlocks {
  int64_t mc, kc;
};
ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n);

// backward_weights: the reduction over m is cut into blocks of mb rows, packed by all threads; then a task goes through
// its rows of dD in groups, for each group through the panels of dz:
//   a panel of dz, mb x nr, and the group's columns of x, mb x group, stay in L2.
struct WeightsBlocks {
  int64_t mb, group;     // group: rows of dD, a multiple of nr
  int64_t update_group;  // the same where the gradient of a group, group x n, is to stay in L2 as well
  bool pack;             // false: both operands fit L1 as they lie
};
WeightsBlocks weights_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n);

// Cut of a row x column grid of work into rows * cols tasks, at most `threads`.
struct Grid {
  int64_t rows, cols;
};

// forward and backward_data. Every task reads its columns' share of D whole, which costs about as much as kStreamRows
// rows of arithmetic; so few rows are cut by columns, many by rows.
Grid forward_grid(int64_t threads, int64_t m, int64_t panels);

// backward_weights: row blocks of nr against panels of nr.
Grid weights_grid(int64_t threads, int64_t panels);

// Threads worth waking for so many multiply-adds.
int64_t useful_threads(int64_t threads, double multiply_adds);

}  // namespace idelta::core

#endif  // IDELTA_CORE_BLOCKING_H
