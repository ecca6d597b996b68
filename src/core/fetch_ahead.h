// The rows that a task of forward or backward_data makes next, brought to L2 by the tiles that multiply the ones
// before.
#ifndef IDELTA_CORE_FETCH_AHEAD_H
#define IDELTA_CORE_FETCH_AHEAD_H

#include "src/core/blocking.h"
#include "src/core/forward.h"
#include "src/core/memory.h"

namespace idelta::core {

// The operands in turns, each from its first element to its last. Inside the tiles, a line every few steps, gains 1 to
// 4 % from m = 512 on; between them, up to 80 lines at once, they fill all miss buffers and lost as much, 15 % of
// backward_data at n = 256 (Zen 5, 2026-11).
class FetchAhead {
 public:
  FetchAhead(const Rows& rows, Range next, int64_t n, int64_t tiles) {
    if (n < kShortRows || next.size() == 0) return;
    add(rows.src, rows.ld, next, n);
    add(rows.y, rows.ldy, next, n);
    add(rows.dz, rows.lddz, next, n);
    for (Operand& operand : operands_) operand.share = ceil_div(operand.floats * count_, tiles);
  }

  // What the next tile fetches, in so many words of its reduction.
  Fetch share(int64_t words) {
    if (count_ == 0) return {};
    Operand& operand = operands_[turn_];
    if (++turn_ == count_) turn_ = 0;
    const float* const at = operand.at;
    operand.at += operand.share;
    return {at, ceil_div(operand.share * kFetchEvery, words)};
  }

 private:
  struct Operand {
    const float* at;
    int64_t floats, share;  // share: a tile's
  };

  // With what lies between rows, unless that is more than they are.
  void add(const float* first, int64_t ld, Range next, int64_t n) {
    if (first && ld < 2 * n) operands_[count_++] = {first + next.begin * ld, next.size() * ld, 0};
  }

  Operand operands_[3] = {};
  int count_ = 0, turn_ = 0;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FETCH_AHEAD_H
