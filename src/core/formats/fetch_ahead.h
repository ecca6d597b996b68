// What the tiles of forward and backward_data bring to L2 for those that come after them.
#ifndef IDELTA_CORE_FORMATS_FETCH_AHEAD_H
#define IDELTA_CORE_FORMATS_FETCH_AHEAD_H

#include <algorithm>

#include "src/core/formats/multiplication.h"
#include "src/core/formats/panels.h"
#include "src/core/machine/memory.h"
#include "src/core/plan/blocking.h"

namespace idelta::core {

// Whether so few tiles share a panel that the first, which waits for it, takes much of their time.
inline bool wait_for_panels(const CacheSizes& caches, const Panels& panels, int64_t tiles) {
  constexpr int64_t kFewTiles = 8;
  return tiles > 1 && tiles <= kFewTiles && static_cast<int64_t>(panels.bytes()) > caches.l2;
}

// Several operands in turns, each from its first element to its last. Between the tiles, up to 80 lines at once, they
// filled all miss buffers: 15 % of backward_data at n = 256 (Zen 5, 2026-11).
class FetchAhead {
 public:
  // For so many tiles.
  explicit FetchAhead(int64_t tiles) : tiles_(tiles) {}

  // The rows that are made next, with what lies between them, unless that is more than they are: 1 to 4 % from m = 512
  // on.
  void rows(const Rows& rows, Range next, int64_t k) {
    if (k < kShortRows || next.size() == 0) return;
    add(rows.src, rows.ld, next, k);
    add(rows.y, rows.ldy, next, k);
    add(rows.dz, rows.lddz, next, k);
    divide();
  }

  // Two halves of a multiplication share what lies in memory: the first, whose tiles store little, fetches the rows
  // that the second will write, and the second the rows that are made next. Both a line with each word of their
  // reduction: m = 4096, n = 794, rank 32 forward 1.28 times as fast, backward_data 1.2 times (Zen 4, 2026-11).
  void outputs_densely(const Epilogue& epilogue, Range rows, int64_t cols) {
    add(epilogue.y, epilogue.ldy, rows, cols);
    dense_ = true;
    divide();
  }
  void rows_densely(const Rows& rows, Range next, int64_t k) {
    this->rows(rows, next, k);
    dense_ = true;
  }

  // The panels from the second on, where tiles wait_for_panels(): a quarter to a third at n = 794 and 1024, m = 16, 8 %
  // at m = 64, with D from memory; nothing with D from L3.
  void panels(const Word* second, int64_t words) {
    operands_[count_++] = {second, words, 0};
    dense_ = true;
    divide();
  }

  // What the next tile fetches, in so many words of its reduction.
  Fetch share(int64_t words) {
    if (count_ == 0) return {};
    Operand& operand = operands_[turn_];
    if (++turn_ == count_) turn_ = 0;
    const Word* const at = operand.at;
    operand.at += operand.share;
    return {at, ceil_div(operand.share * (dense_ ? 1 : kFetchEvery), words), dense_};
  }

 private:
  struct Operand {
    const Word* at;
    int64_t words, share;  // share: a tile's
  };

  void add(const float* first, int64_t ld, Range rows, int64_t width) {
    const int64_t lowest = ld < 0 ? rows.end - 1 : rows.begin, apart = ld < 0 ? -ld : ld;
    if (first && apart < 2 * width) operands_[count_++] = {words_of(first + lowest * ld), rows.size() * apart, 0};
  }

  void divide() {
    const int64_t turns = std::max<int64_t>(1, tiles_ / std::max(count_, 1));
    for (Operand& operand : operands_) operand.share = ceil_div(operand.words, turns);
  }

  int64_t tiles_;
  Operand operands_[3] = {};
  int count_ = 0, turn_ = 0;
  bool dense_ = false;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_FETCH_AHEAD_H
