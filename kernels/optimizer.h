// One optimiser step over any vector type V of an ISA's vector.h, in squares of kLine rows and columns of parameters. A
// square is stepped in tiles of MR rows of NV vectors. It is packed from registers if it is a single tile, else from
// L1.
#ifndef IDELTA_KERNELS_OPTIMIZER_H
#define IDELTA_KERNELS_OPTIMIZER_H

#include "kernels/optimizer_batch.h"
#include "kernels/optimizer_pack.h"
#include "kernels/optimizer_step.h"

namespace idelta {

// Steps and packs the square at column c in one tile; returns whether any parameter is not zero. Packing it through L1
// would take a tenth to a fifth longer at m = 1 (AVX-512).
template <class Rule, class V, ptrdiff_t nr>
struct StepInRegisters {
  template <bool kWhole>
  static IDELTA_TILE bool run(const OptimizerStep& s, const ConstantsOf<Rule, V>& constants, ptrdiff_t c) {
    constexpr int kRows = V::lanes;
    const StepTile<Rule, kWhole, V, kRows, 1> at{s, 0, c};
    V tile[kRows][1], block[kRows], seen = V::zero();
    at.multiply(tile);
    at.step(constants, tile);
    IDELTA_UNROLL for (int i = 0; i < kRows; ++i) {
      block[i] = tile[i][0];
      seen = seen | block[i];
    }
    const PackBlock<kWhole, V, nr> pack{s, 0, c};
    s.packs.pairs ? pack.pairs(block) : pack.floats(block);
    return any_nonzero(seen);
  }
};

// The same in several tiles. Batches of up to four rows, as many as 16 registers hold, go by rows instead.
template <class Rule, class V, ptrdiff_t nr, int MR, int NV>
struct StepInTiles {
  template <bool kWhole>
  static IDELTA_INLINE bool run(const OptimizerStep& s, const ConstantsOf<Rule, V>& constants, ptrdiff_t c) {
    step<kWhole>(s, constants, c);
    if (!s.nonzero) return false;
    return any_nonzero(s.packs.pairs ? pack_square<kWhole, true, V, nr>(s, c)
                                     : pack_square<kWhole, false, V, nr>(s, c));
  }

 private:
  template <bool kWhole>
  static IDELTA_INLINE void step(const OptimizerStep& s, const ConstantsOf<Rule, V>& constants, ptrdiff_t c) {
    if constexpr (V::lanes > 1) {
      switch (s.gradient.g ? 0 : s.gradient.m) {
        case 1:
          return step_batch<Rule, kWhole, 1>(s, constants, c);
        case 2:
          return step_batch<Rule, kWhole, 2>(s, constants, c);
        case 3:
          return step_batch<Rule, kWhole, 3>(s, constants, c);
        case 4:
          return step_batch<Rule, kWhole, 4>(s, constants, c);
      }
    }
    for (ptrdiff_t j = c; j < c + kLine && j < s.cols; j += NV * V::lanes) {
      ptrdiff_t i = 0;
      for (; i + MR <= kLine && i < s.rows; i += MR) tile<kWhole, MR>(s, constants, i, j);
      if constexpr (kLine % MR > 0) {
        if (i < s.rows) tile<kWhole, kLine % MR>(s, constants, i, j);
      }
    }
  }

  template <bool kWhole, int kRows>
  static IDELTA_TILE void tile(const OptimizerStep& s, const ConstantsOf<Rule, V>& constants, ptrdiff_t r,
                               ptrdiff_t c) {
    const StepTile<Rule, kWhole, V, kRows, NV> at{s, r, c};
    V tile[kRows][NV];
    at.multiply(tile);
    at.step(constants, tile);
  }
};

// Goes by kLine rows and prefetches meanwhile: the next kLine rows where all is contiguous, else the next nr rows (each
// up to 13 and 9 % faster than the other choice, Zen 5, 2026-11).
template <class V, ptrdiff_t nr, class Step, class Constants>
void step_lines(const OptimizerStep& given, const Constants& constants) {
  OptimizerStep s = given;  // a copy: stores could alias the original
  const ptrdiff_t lead = s.contiguous ? kLine : nr;
  s.rows = kLine;
  s.w_ahead = lead * s.ldw, s.state_ahead = lead * s.ld_state;
  for (ptrdiff_t r = 0; r < given.rows; r += kLine) {
    const ptrdiff_t in_panel = r % nr;  // of the transposed
    const ptrdiff_t next = in_panel + kLine < nr ? kLine : s.packs.transposed_panel_stride - in_panel;
    s.packs.transposed_ahead = s.contiguous ? next : s.packs.transposed_panel_stride;
    if (given.rows - r <= lead) {
      const ptrdiff_t back = s.contiguous ? in_panel : 0;
      s.w_ahead = given.w_ahead - back * s.ldw, s.state_ahead = given.state_ahead - back * s.ld_state;
      s.packs.transposed_ahead = given.packs.transposed_ahead - back;
    }
    if (given.rows - r < kLine) s.rows = given.rows - r;
    for (ptrdiff_t c = 0; c < s.cols; c += kLine) {
      const bool whole = s.rows == kLine && c + kLine <= s.cols;
      const bool any = whole ? Step::template run<true>(s, constants, c) : Step::template run<false>(s, constants, c);
      if (s.nonzero) *s.nonzero++ = any;
    }
    s.w += kLine * s.ldw;
    if (s.gradient.g) s.gradient.g += kLine * s.gradient.ldg;
    if (s.gradient.m > 0) s.gradient.lhs += kLine;
    for (float*& state : s.state) state = state ? state + kLine * s.ld_state : nullptr;
    if (s.packs.copy) s.packs.copy += s.packs.pairs ? kLine / 2 * nr : kLine * nr;
    if (s.packs.transposed) s.packs.transposed += next;
  }
  if constexpr (kStreams<V>) {
    if (s.packs.streams) finish_streams(V::zero());
  }
}

// A kernel slot.
template <class V, ptrdiff_t nr, int MR, int NV>
void optimizer_step(const OptimizerStep& s) {
  static_assert(kLine % (NV * V::lanes) == 0 && nr % kLine == 0);
  Optimizers::with(s.kind, [&]<class Rule>() {
    const ConstantsOf<Rule, V> constants(s);
    if constexpr (MR == kLine && V::lanes == kLine) {
      step_lines<V, nr, StepInRegisters<Rule, V, nr>>(s, constants);
    } else {
      step_lines<V, nr, StepInTiles<Rule, V, nr, MR, NV>>(s, constants);
    }
  });
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_OPTIMIZER_H
