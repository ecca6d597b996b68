#include "src/core/plan/blocking.h"

#include <algorithm>

#include "kernels/kernels.h"
#include "src/core/machine/memory.h"

namespace idelta::core {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kPage = 4096;  // bytes; a way of L1

// `total` if so many items of `bytes` each fit into `budget`; else the largest multiple of `unit` that fits and cuts
// total evenly. What fits costs no division: a whole call with n = 64, m = 1 takes 190 ns.
int64_t even_block(int64_t total, int64_t bytes, int64_t budget, int64_t unit) {
  if (total * bytes <= budget) return total;
  const int64_t limit = std::max(unit, budget / bytes / unit * unit);
  return std::min(total, round_up(ceil_div(total, ceil_div(total, limit)), unit));
}

// Whether dD does not stay in L2 beside the operands.
bool streams(const CacheSizes& caches, int64_t n) { return n * n * kFloat > caches.l2 / 2; }

// Rows of both operands that backward_weights packs at a time. 8 MiB stay in L3 until dz has served all blocks of dD: 6
// % at n = 794, m = 4096 against 64 MiB, which spare dD some passes; 12 MiB took two threads a tenth longer at n =
// 1024 (Zen 5, 2026-11). Many tasks have several L3. A dD that fits L2 costs so little to read and write again that
// what a task packs should not go further than twice that: 3 % at n = 512, m = 4096, 16 % at n = 384 under AVX2.
int64_t packed_rows(const CacheSizes& caches, int64_t m, int64_t n, int64_t element_bytes, int64_t unit,
                    const PackedColumns& packed) {
  constexpr int64_t kMiB = int64_t{1} << 20;
  if (!streams(caches, n)) return even_block(m, 2 * n * element_bytes, caches.l2 / 2, unit);
  if (n * n * kFloat <= caches.l2) {
    return even_block(m, packed.all / packed.tasks * element_bytes, 2 * caches.l2, unit);
  }
  return even_block(m, packed.all * element_bytes, std::max(int64_t{8}, packed.tasks) * kMiB, unit);
}

// Rows that lie so many bytes apart, but for whole pages, use every so-manieth place of a cache.
int64_t spread(int64_t bytes) { return std::min(bytes & -bytes, kPage); }

}  // namespace

int64_t even_tile(int64_t rows, int64_t mr) { return rows <= mr ? rows : ceil_div(rows, ceil_div(rows, mr)); }

ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n) {
  const int64_t kc = even_block(n, tile.nr * kFloat, caches.l2 / 8, kLine);
  const int64_t mc = even_block(m, kc * kFloat, caches.l2 / 4, tile.mr);
  return {mc, kc};
}

bool far_outputs(const CacheSizes& caches, int64_t m, int64_t n) {
  return n >= kShortRows || m * n * kFloat > caches.l2 / 2;
}

int64_t rounded_rows(const CacheSizes& caches, int64_t mr, int64_t m, int64_t row_bytes) {
  return even_block(m, row_bytes, caches.l2 / 2, mr);
}

WeightsBlocks weights_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n,
                             const PackedColumns& packed) {
  const int64_t kb = even_block(m, tile.nr * kFloat, caches.l2 / 8, kLine);
  const int64_t mb = packed_rows(caches, m, n, kFloat, kLine, packed);
  const bool far = streams(caches, n);
  // Packing dz aligns and gathers lines, and is cheap against n columns each: n = 794, m = 16 gains 25 %, n = 256 loses
  // 8 %; rows that begin lines anyway (n = 784) gain 4 % at m = 64 and lose 3 % from 512 on. Packing x, whole blocks or
  // columns of one tile, cost 1 to 4 % from n = 794 on: only where columns_collide().
  const bool pack = far || 2 * mb * n * kFloat > caches.l2;
  const bool rows_first = m * n * kFloat <= (far ? caches.l2 / 2 : caches.l1 / 2);
  return {.mb = mb, .kb = kb, .pack = pack, .rows_first = rows_first, .low_tiles = rows_first && far};
}

bool pack_past_l2(const CacheSizes& caches, int64_t m, int64_t n, const PackedColumns& packed) {
  return n * n * kFloat <= caches.l2 && m * (packed.all / packed.tasks) * kFloat >= 2 * caches.l2;
}

int64_t rounded_weights_rows(const CacheSizes& caches, int64_t nr, int64_t m, int64_t n, int64_t planes,
                             const PackedColumns& packed) {
  const int64_t element = planes * static_cast<int64_t>(sizeof(uint16_t));
  return std::min(even_block(m, nr * element, caches.l2 / 8, kPairLine),
                  packed_rows(caches, m, n, element, kPairLine, packed));
}

bool rows_collide(int64_t m, int64_t ld) { return m > 8 && ld * kFloat % kPage == 0; }

// With what packing gained or lost (Zen 5, 2026-11; m = 64 and 512):
//                        a page apart (n = 1024)   half (512)   a quarter (768)   a quarter (256)
//   AVX-512, 14 x 32      22, 3 %                  7, -4 %      6, -2 %           0, -6 %
//   AVX2, 6 x 16          90, 90 %                 30, 15 %     9, -2 %           14, 2 %
// A page apart L2 runs out of sets as well. From some 256 rows on packed columns come from L2, too; low tiles read
// columns so often that L2 is too far.
bool columns_collide(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n, int64_t ld) {
  const int64_t apart = spread(ld * kFloat);
  if (apart < kPage / 4 || 2 * m * apart <= caches.l1) return false;  // a tile's columns are in two lines of a row
  if (apart == kPage) return true;
  if (tile.mr % kLine == 0) return false;  // whole lines, each read once
  constexpr int64_t kLowTile = 8, kFewRows = 256, kManyColumns = 256;
  if (tile.mr < kLowTile) return n >= kManyColumns;
  return m <= kFewRows && n >= kManyColumns * (kPage / 2) / apart;
}

int64_t uncrowded_rows(const CacheSizes& caches, int64_t m, int64_t ld) {
  const int64_t apart = spread(ld * kFloat);
  return apart == kPage / 4 ? even_block(m, apart, caches.l2 * 3 / 4, kLine) : m;
}

int64_t useful_threads(int64_t threads, double multiply_adds) {
  // A thread's least share. forward, n = 64 .. 256, threads awake: 2 threads against 1 are 0.6 times as fast at 0.13
  // million multiply-adds, 0.93 at 0.3, 1.17 at 0.5, 1.3 at 1, 1.5 at 2, 1.7 at 4 (EPYC Turin, AVX-512, 2026-11; there
  // two single-threaded programs at once cost each other 6 to 12 %). Starting and joining takes 0.7 us.
  constexpr double kBreakEven = 2e5;
  return std::clamp(static_cast<int64_t>(std::min(multiply_adds / kBreakEven, 1e9)), int64_t{1}, threads);
}

}  // namespace idelta::core
