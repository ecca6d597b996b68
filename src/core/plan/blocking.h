// Cache blocks and how much work is worth a thread: pure functions of sizes, tested without a CPU.
//
// None of this changes a bit of any result (kernels.h, Numerics); it only decides what stays in which cache.
#ifndef IDELTA_CORE_PLAN_BLOCKING_H
#define IDELTA_CORE_PLAN_BLOCKING_H

#include <cstdint>

#include "src/core/base/range.h"
#include "src/core/machine/topology.h"

namespace idelta::core {

struct TileShape {
  int64_t mr, nr;
};

// Rows a tile when `rows` rows are cut into as few tiles of at most mr as possible, evened.
int64_t even_tile(int64_t rows, int64_t mr);

// forward and backward_data: a task packs mc rows of x (all of k), then for every block of kc goes through the panels
// of D, and for each panel through its row tiles:
//   a slice of one panel, kc x nr, and the slice of x, mc x kc, stay in L2; a row tile, mr x kc, passes through L1.
struct ForwardBlocks {
  int64_t mc, kc;
};
ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n);

// Shorter rows are fetched well enough by the hardware, and a tile of them has no time for more.
inline constexpr int64_t kShortRows = 256;

// Whether y will not be in L2 when it is stored to. Otherwise fetching it would be a tenth of a tile's time at n = 64.
bool far_outputs(const CacheSizes& caches, int64_t m, int64_t n);

// Rows, of m, that a task rounds to bf16 at a time, row_bytes each: they stay in L2 beside a panel that passes through.
int64_t rounded_rows(const CacheSizes& caches, int64_t mr, int64_t m, int64_t row_bytes);

// Columns of x and dz that backward_weights packs: each task its own, some of them the same.
struct PackedColumns {
  int64_t tasks, all;
};

// backward_weights and update: mb rows are packed at a time. A task's rows of dD are cut into blocks of
// at most kBlockPanels * nr, which tiles of almost mr rows fill: 96 = 7 x 14 - 2 (AVX-512), 48 = 8 x 6 (AVX2). A task
// goes through its blocks, for each through sub-blocks of kb rows of the reduction, for each through its panels of dz:
//   a panel of dz, kb x nr, the block's columns of x, kb x 3 nr, and the block of dD stay in L2.
// A panel short enough for L1 (kb = 384) was 4 to 8 % slower: dD is read and written more often. Where dD does not stay
// in L2, few rows are multiplied by low and wide tiles that write it along its rows: twice the speed at n = 1024, m
// = 1.
struct WeightsBlocks {
  static constexpr int64_t kBlockPanels = 3;
  int64_t mb, kb;
  bool pack;        // dz; false: both operands and dD fit L2 as they lie
  bool rows_first;  // dz stays so near that the order of tiles need not care for it: dD is written along its rows
  bool low_tiles;   // by few rows of several panels at once
};
WeightsBlocks weights_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n,
                             const PackedColumns& packed);

// Rows of which a tile's columns and a panel stay in L1 for the next tile: fetching them all the same took 1 to 3 %
// (AVX-512, m = 16 to 128); from 192 rows on it gains up to 3 % (AVX2, n = 794, Zen 5, 2026-11).
inline constexpr int64_t kNearRows = 128;

// Whether backward_weights should pack kNearRows at a time of operands that are both packed, and past L2: they are far
// more than L2 holds, but dD and so few rows stay there. 5 to 9 % at n = 256, m = 4096, 3 to 5 % at n = 512, 1 to 2 %
// at m = 1024; operands of up to L2 lost 3 %, a dD beyond L2 gained nothing (AVX2, Zen 5, 2026-11). AVX-512, which uses
// x as it lies, would lose 2 to 8 % by packing it so.
bool pack_past_l2(const CacheSizes& caches, int64_t m, int64_t n, const PackedColumns& packed);

// The same mb where the operands are `planes` times bf16, and a sum goes through all of them at once.
int64_t rounded_weights_rows(const CacheSizes& caches, int64_t nr, int64_t m, int64_t n, int64_t planes,
                             const PackedColumns& packed);

// Whether forward should copy m rows that lie ld elements apart, whatever their size: a multiple of a page means one
// set of L1, too few for the mr rows of a tile (n = 1024, m = 512: 4 %; half a page, n = 512, would lose 2 % to the
// copy, Zen 5).
bool rows_collide(int64_t m, int64_t ld);

// Whether backward_weights should pack columns of m rows that lie ld elements apart, n columns in all, though they
// could be used as they lie: a column fills its few sets of L1 and misses the rest of it.
bool columns_collide(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n, int64_t ld);

// The most of m rows for which a block's columns of x as it lies, rows ld elements apart, stay in L2, though they crowd
// its sets: a kb of backward_weights. A quarter of a page apart that gains 12 % (n = 768, m = 1024 and more, Zen 5,
// 2026-11); half a page apart fewer rows lost 2 % on dD again.
int64_t uncrowded_rows(const CacheSizes& caches, int64_t m, int64_t ld);

// The multiply-adds that take as long as packing so many elements.
constexpr double packing_work(int64_t elements) { return 16 * static_cast<double>(elements); }

// The work that all passes of a layer are given threads for once it is being trained: multiplying, and stepping the
// parameters. Lines where two threads' parameters meet change caches in each step, so that two threads break even at n
// = 128, m = 40, at n = 256, m = 8 and at n = 512, m = 2 (Zen 5, 2026-11).
constexpr double training_work(double multiply_adds, int64_t parameters) {
  return (multiply_adds + static_cast<double>(parameters)) / 1.5;
}

// Threads worth having for so many multiply-adds (or work that takes as long).
int64_t useful_threads(int64_t threads, double multiply_adds);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_BLOCKING_H
