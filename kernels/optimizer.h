// One optimiser step over any vector type V of an ISA's vector.h, in tiles of MR rows of NV vectors: gradient, step and
// store while they are in registers. Where a tile is a block of lanes x lanes, it stays there until it is packed, too:
// through L1 that took a tenth longer under AVX-512 (m = 1). Other tiles, which multiply faster, are packed line by
// line afterwards; and AVX2 steps batches of few rows without tiles, a row of parameters after the other.
#ifndef IDELTA_KERNELS_OPTIMIZER_H
#define IDELTA_KERNELS_OPTIMIZER_H

#include "kernels/bf16.h"
#include "kernels/compiler.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/tile.h"

namespace idelta {

// The numbers of an optimiser in registers.
template <class V>
struct OptimizerConstants {
  V rate, decay, momentum, rest_of_momentum, beta2, rest_of_beta2, epsilon, first_correction, second_correction;

  IDELTA_INLINE explicit OptimizerConstants(const OptimizerStep& s)
      : rate(V::splat(s.learning_rate)),
        decay(V::splat(s.weight_decay)),
        momentum(V::splat(s.momentum)),
        rest_of_momentum(V::splat(1.0f) - V::splat(s.momentum)),
        beta2(V::splat(s.beta2)),
        rest_of_beta2(V::splat(1.0f - s.beta2)),
        epsilon(V::splat(s.epsilon)),
        first_correction(V::splat(s.first_correction)),
        second_correction(V::splat(s.second_correction)) {}
};

// The new w; the state at this vector's place is read and written.
template <OptimizerStep::Kind kKind, class V>
IDELTA_INLINE V stepped(const OptimizerConstants<V>& c, V g, V w, float* state0, float* state1, typename V::Mask mask) {
  if constexpr (kKind == OptimizerStep::kAdamW) {
    const V first = fma(c.momentum, V::load(state0, mask), c.rest_of_momentum * g);
    const V second = fma(c.beta2, V::load(state1, mask), c.rest_of_beta2 * (g * g));
    first.store(state0, mask);
    second.store(state1, mask);
    const V denominator = fma(sqrt(second), c.second_correction, c.epsilon);
    return fnma(c.rate, fma(c.decay, w, c.first_correction * first / denominator), w);
  } else {
    g = fma(c.decay, w, g);
    if constexpr (kKind == OptimizerStep::kSgd) return fnma(c.rate, g, w);
    const V velocity = fma(c.momentum, V::load(state0, mask), g);
    velocity.store(state0, mask);
    return fnma(c.rate, kKind == OptimizerStep::kNesterov ? fma(c.momentum, velocity, g) : velocity, w);
  }
}

// Whether MR x NV vectors are as many parameters as are packed at once.
template <class V, int MR, int NV>
inline constexpr bool kTileIsBlock = (MR == V::lanes) && NV == 1;

// Whether all rows of parameters and state lie one behind the other, in panels.
IDELTA_INLINE bool lies_on_end(const OptimizerStep& s, ptrdiff_t nr) {
  return s.ldw == nr && (!s.state[0] || s.ld_state == nr);
}

// Walks rows of parameters and their state, from row r and column c on, for the vectors that are stepped in each.
template <OptimizerStep::Kind kKind, class V>
struct ParameterRows {
  static constexpr bool kFirst = kKind != OptimizerStep::kSgd, kSecond = kKind == OptimizerStep::kAdamW;
  const OptimizerConstants<V> constants;  // in registers, as are strides: a store could change those in memory
  const ptrdiff_t ldw, ld_state, w_ahead, state_ahead;
  float *w, *state0, *state1;  // w in place of what is not kept, nor touched

  IDELTA_INLINE ParameterRows(const OptimizerStep& s, const OptimizerConstants<V>& given, ptrdiff_t r, ptrdiff_t c)
      : constants(given),
        ldw(s.ldw),
        ld_state(s.ld_state),
        w_ahead(s.w_ahead),
        state_ahead(s.state_ahead),
        w(s.w + r * s.ldw + c),
        state0(kFirst ? s.state[0] + r * s.ld_state + c : w),
        state1(kSecond ? s.state[1] + r * s.ld_state + c : w) {}

  // The new parameters, stored, of gradient g.
  IDELTA_INLINE V step(V g, ptrdiff_t at, typename V::Mask mask) const {
    const V next = stepped<kKind>(constants, g, V::load(w + at, mask), state0 + at, state1 + at, mask);
    next.store(w + at, mask);
    return next;
  }
  // Those of the next call.
  IDELTA_INLINE void fetch(ptrdiff_t at) const {
    fetch_next(w + at + w_ahead);
    if (kFirst) fetch_next(state0 + at + state_ahead);
    if (kSecond) fetch_next(state1 + at + state_ahead);
  }
  IDELTA_INLINE void advance() {
    w += ldw, state0 += ld_state, state1 += ld_state;
    forget(w), forget(state0), forget(state1);
  }
};

// Up to MR rows of NV vectors of parameters, from row r and column c on. kWhole: so many, and nothing needs a mask.
template <OptimizerStep::Kind kKind, bool kWhole, class V, int MR, int NV>
struct StepTile {
  const OptimizerStep& s;
  const OptimizerConstants<V>& constants;
  ptrdiff_t r, c;

  IDELTA_INLINE typename V::Mask mask(int v) const { return V::first(kWhole ? V::lanes : s.cols - c - v * V::lanes); }
  IDELTA_INLINE bool has(int i) const { return kWhole || r + i < s.rows; }

  // The gradient: the chain of f32_weights, to the bit.
  IDELTA_INLINE void multiply(V (&sum)[MR][NV]) const {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = V::zero();
    if (s.g) {
      const float* g = s.g + r * s.ldg + c;
      IDELTA_UNROLL for (int i = 0; i < MR; ++i, g += s.ldg) {
        if (!has(i)) break;
        IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = V::load(g + v * V::lanes, mask(v));
      }
    }
    if (s.m == 0) return;
    const float *x = s.lhs + r, *dz = s.rhs + c;  // fetching their next rows cost 3 % at m = 64
    for (ptrdiff_t p = 0; p < s.m; ++p, x += s.lhs_stride, dz += s.rhs_stride) {
      V columns[NV];
      IDELTA_UNROLL for (int v = 0; v < NV; ++v) columns[v] = V::load(dz + v * V::lanes, mask(v));
      IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
        if (!has(i)) break;
        const V row = V::splat(x[i]);
        IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = fma(row, columns[v], sum[i][v]);
      }
    }
  }

  // Parameters in place of their gradient; what the next call needs is fetched.
  IDELTA_INLINE void step(V (&tile)[MR][NV]) const {
    ParameterRows<kKind, V> row(s, constants, r, c);
    IDELTA_UNROLL for (int i = 0; i < MR; ++i, row.advance()) {
      if (!has(i)) break;
      IDELTA_UNROLL for (int v = 0; v < NV; ++v) {
        const int at = v * V::lanes;
        tile[i][v] = row.step(tile[i][v], at, mask(v));
        if (begins_line<V>(c + at)) row.fetch(at);
      }
    }
  }
};

// lanes x lanes new parameters, from row r and column c on, into both packs. Stores past the caches saved a tenth at n
// = 1024 and a quarter at 2048, m = 1, but send the next backward_data to memory.
template <bool kWhole, bool kPairs, class V, ptrdiff_t nr>
struct PackBlock {
  const OptimizerStep& s;
  ptrdiff_t r, c;

  IDELTA_INLINE void operator()(V (&block)[V::lanes]) const {
    if constexpr (!kPairs) {
      if (s.copy) store_rows(block, s.copy + c, r, s.rows - r, 0);
      if (!s.transposed) return;
      transpose(block);
      store_rows(block, s.transposed + r, c, s.cols - c, ahead());
    } else if (s.low_plane == 0) {
      IDELTA_UNROLL for (V& row : block) row = bf16_part<Bf16Part::kRounded>(row);
      store_halves(block, 0);
    } else {
      V hi[V::lanes];
      IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) hi[i] = bf16_part<Bf16Part::kHi>(block[i]);
      store_halves(hi, 0);
      IDELTA_UNROLL for (V& row : block) row = bf16_part<Bf16Part::kLo>(row);
      store_halves(block, s.low_plane);
    }
  }

 private:
  // To the lines of the transposed pack that come next.
  IDELTA_INLINE ptrdiff_t ahead() const { return begins_line<V>(r) ? s.transposed_ahead : 0; }

  // Rows of a pack from row `first` on, up to `rows` of them; what comes after them has stayed zero. fetch: 0 fetches
  // nothing.
  IDELTA_INLINE void store_rows(const V (&block)[V::lanes], Word* words, ptrdiff_t first, ptrdiff_t rows,
                                ptrdiff_t fetch) const {
    words += first * nr;
    IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
      if (!kWhole && i >= rows) break;
      block[i].store(words + i * nr);
      if (fetch != 0) fetch_next(words + i * nr + fetch);
    }
  }
  // The same of the high halves, two rows a word.
  IDELTA_INLINE void store_pairs(const V (&block)[V::lanes], Word* words, ptrdiff_t first, ptrdiff_t rows,
                                 ptrdiff_t fetch) const {
    words += first / 2 * nr;
    if constexpr (V::lanes == 1) {
      store_high_halves(block[0], reinterpret_cast<uint16_t*>(words) + first % 2);
    } else {
      V pairs[V::lanes / 2];
      IDELTA_UNROLL for (int i = 0; i < V::lanes; i += 2) {
        const V odd = kWhole || i + 1 < rows ? block[i + 1] : V::zero();  // a NaN of x spreads past the columns
        pairs[i / 2] = pair_high_halves(block[i], odd);
      }
      store_words(pairs, words, rows, fetch);
    }
  }
  template <int N>
  IDELTA_INLINE void store_words(const V (&pairs)[N], Word* words, ptrdiff_t rows, ptrdiff_t fetch) const {
    IDELTA_UNROLL for (int i = 0; i < N; ++i) {
      if (!kWhole && 2 * i >= rows) break;
      pairs[i].store(words + i * nr);
      if (fetch != 0) fetch_next(words + i * nr + fetch);
    }
  }

  // The high halves of a block into both packs.
  IDELTA_INLINE void store_halves(V (&block)[V::lanes], ptrdiff_t plane) const {
    if (s.copy) store_pairs(block, s.copy + plane + c, r, s.rows - r, 0);
    if (!s.transposed) return;
    Word* const words = s.transposed + plane + r;
    if constexpr (kWhole && V::lanes > 1) {
      V pairs[V::lanes / 2];
      transpose_pairs(block, pairs);
      store_words(pairs, words + c / 2 * nr, s.cols - c, ahead());
    } else {
      transpose(block);
      store_pairs(block, words, c, s.cols - c, ahead());
    }
  }
};

// Steps MR rows of NV vectors. Where that is a block of the packs, it goes there while it is in registers. Returns the
// or of what was packed.
template <OptimizerStep::Kind kKind, bool kWhole, class V, ptrdiff_t nr, int MR, int NV>
IDELTA_TILE V step_tile(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t r, ptrdiff_t c) {
  const StepTile<kKind, kWhole, V, MR, NV> at{s, constants, r, c};
  V tile[MR][NV], seen = V::zero();
  at.multiply(tile);
  at.step(tile);
  if constexpr (kTileIsBlock<V, MR, NV>) {
    V block[V::lanes];
    IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
      block[i] = tile[i][0];
      seen = seen | block[i];
    }
    s.pairs ? PackBlock<kWhole, true, V, nr>{s, r, c}(block) : PackBlock<kWhole, false, V, nr>{s, r, c}(block);
  }
  return seen;
}

// The same of a line that has been stepped, block by block. Without code for pairs: that cost plain rows up to a fifth
// (AVX2). Loading blocks transposed, 128 bits at a time, took a tenth longer.
template <bool kWhole, bool kPairs, class V, ptrdiff_t nr>
IDELTA_TILE V pack_line(const OptimizerStep& s, ptrdiff_t c) {
  V seen = V::zero();
  for (ptrdiff_t i = 0; i < kLine && (kWhole || i < s.rows); i += V::lanes) {
    for (ptrdiff_t j = c; j < c + kLine && (kWhole || j < s.cols); j += V::lanes) {
      const auto mask = V::first(kWhole ? V::lanes : s.cols - j);
      const float* const w = s.w + i * s.ldw + j;
      V block[V::lanes];
      IDELTA_UNROLL for (int k = 0; k < V::lanes; ++k) {
        block[k] = kWhole || i + k < s.rows ? V::load(w + k * s.ldw, mask) : V::zero();
        seen = seen | block[k];
      }
      PackBlock<kWhole, kPairs, V, nr>{s, i, j}(block);
    }
  }
  return seen;
}

template <bool kPairs, class V, ptrdiff_t nr>
IDELTA_INLINE V pack_line(const OptimizerStep& s, ptrdiff_t c) {
  const bool whole = s.rows == kLine && c + kLine <= s.cols;
  return whole ? pack_line<true, kPairs, V, nr>(s, c) : pack_line<false, kPairs, V, nr>(s, c);
}

// Columns that are stepped together: a line, or a tile if that is wider.
template <class V, int NV>
constexpr ptrdiff_t stepped_columns() {
  constexpr ptrdiff_t tile = NV * V::lanes;
  return tile > kLine ? tile : kLine;
}

// MR rows of stepped_columns(), or what there is of them.
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr, int MR, int NV>
IDELTA_INLINE V step_rows(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t r, ptrdiff_t c) {
  constexpr ptrdiff_t width = NV * V::lanes;
  V seen = V::zero();
  for (ptrdiff_t j = c; j < c + stepped_columns<V, NV>() && j < s.cols; j += width) {
    const bool whole = r + MR <= s.rows && j + width <= s.cols;
    seen = seen | (whole ? step_tile<kKind, true, V, nr, MR, NV>(s, constants, r, j)
                         : step_tile<kKind, false, V, nr, MR, NV>(s, constants, r, j));
  }
  return seen;
}

// A line of rows one after the other, for a batch of M rows whose columns stay in registers: a fifth faster than in
// tiles, each of which has 70 instructions beside its work (AVX2). Only where rows lie apart are the next ones fetched:
// on end that took a tenth longer, for so little is multiplied that the core gets there by itself (m = 1 to 4; at m = 8
// and n = 1024 fetching gains as much; Zen 5, 2026-11).
template <OptimizerStep::Kind kKind, bool kWhole, class V, ptrdiff_t nr, int M>
IDELTA_TILE void step_batch_of(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t c) {
  constexpr int NV = kLine / V::lanes;
  typename V::Mask mask[NV];
  IDELTA_UNROLL for (int v = 0; v < NV; ++v) mask[v] = V::first(kWhole ? V::lanes : s.cols - c - v * V::lanes);
  V columns[M][NV];
  IDELTA_UNROLL for (int p = 0; p < M; ++p) {
    IDELTA_UNROLL for (int v = 0; v < NV; ++v) {
      columns[p][v] = V::load(s.rhs + p * s.rhs_stride + c + v * V::lanes, mask[v]);
    }
  }
  ParameterRows<kKind, V> row(s, constants, 0, c);
  const float* x = s.lhs;
  const ptrdiff_t lhs_stride = s.lhs_stride, rows = kWhole ? kLine : s.rows;
  const bool fetches = !lies_on_end(s, nr);
  IDELTA_UNROLL_4 for (ptrdiff_t i = 0; i < rows; ++i, ++x, row.advance()) {
    V sum[NV];
    IDELTA_UNROLL for (V& g : sum) g = V::zero();
    multiply_row(sum, x, lhs_stride, columns);
    IDELTA_UNROLL for (int v = 0; v < NV; ++v) row.step(sum[v], v * V::lanes, mask[v]);
    if (fetches) row.fetch(0);
  }
}

template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr, int M>
IDELTA_INLINE void step_batch(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t c) {
  const bool whole = s.rows == kLine && c + kLine <= s.cols;
  whole ? step_batch_of<kKind, true, V, nr, M>(s, constants, c)
        : step_batch_of<kKind, false, V, nr, M>(s, constants, c);
}

// The kLine rows of s, or fewer, and stepped_columns() from c on, in tiles.
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr, int MR, int NV>
IDELTA_INLINE V step_tiles(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t c) {
  constexpr int kRest = kLine % MR;
  V seen = V::zero();
  ptrdiff_t i = 0;
  for (; i + MR <= kLine && i < s.rows; i += MR) {
    seen = seen | step_rows<kKind, V, nr, MR, NV>(s, constants, i, c);
  }
  if constexpr (kRest > 0) {
    if (i < s.rows) seen = seen | step_rows<kKind, V, nr, kRest, NV>(s, constants, i, c);
  }
  return seen;
}

// The same; where vectors are shorter than a line, four rows of a batch are what 16 registers hold.
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr, int MR, int NV>
IDELTA_INLINE void step_line(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t c) {
  if constexpr (V::lanes < kLine) {
    switch (s.g ? 0 : s.m) {
      case 1:
        return step_batch<kKind, V, nr, 1>(s, constants, c);
      case 2:
        return step_batch<kKind, V, nr, 2>(s, constants, c);
      case 3:
        return step_batch<kKind, V, nr, 3>(s, constants, c);
      case 4:
        return step_batch<kKind, V, nr, 4>(s, constants, c);
    }
  }
  step_tiles<kKind, V, nr, MR, NV>(s, constants, c);
}

// stepped_columns() from c on, and into the packs. Says of each line whether any of it is not zero.
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr, int MR, int NV>
IDELTA_INLINE void step_columns(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t c,
                                bool*& nonzero) {
  if constexpr (kTileIsBlock<V, MR, NV>) {
    const bool any = any_nonzero(step_tiles<kKind, V, nr, MR, NV>(s, constants, c));
    if (nonzero != nullptr) *nonzero++ = any;
  } else {
    step_line<kKind, V, nr, MR, NV>(s, constants, c);
    if (nonzero == nullptr) return;  // a bias: it has no packs
    for (ptrdiff_t line = c; line < c + stepped_columns<V, NV>() && line < s.cols; line += kLine) {
      *nonzero++ = any_nonzero(s.pairs ? pack_line<true, V, nr>(s, line) : pack_line<false, V, nr>(s, line));
    }
  }
}

// A line of rows after the other. What is fetched meanwhile is the next one where all lies on end: a panel of rows
// ahead took up to 13 % longer at few rows of the batch, a line of columns ahead as long. Where state lies in rows it
// is a panel: a line ahead took 4 to 9 % longer (Zen 5, 2026-11).
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr, int MR, int NV>
void optimizer_step_of(const OptimizerStep& given) {
  OptimizerStep s = given;  // for all the compiler knows, a store could change what was given
  const OptimizerConstants<V> constants(s);
  const bool on_end = lies_on_end(s, nr);
  const ptrdiff_t lead = on_end ? kLine : nr;
  bool* nonzero = s.nonzero;
  s.rows = kLine;
  s.w_ahead = lead * s.ldw, s.state_ahead = lead * s.ld_state;
  for (ptrdiff_t r = 0; r < given.rows; r += kLine) {
    const ptrdiff_t in_panel = r % nr;  // of the transposed
    const ptrdiff_t next = in_panel + kLine < nr ? kLine : s.transposed_panel_stride - in_panel;
    s.transposed_ahead = on_end ? next : s.transposed_panel_stride;
    if (given.rows - r <= lead) {
      const ptrdiff_t back = on_end ? in_panel : 0;
      s.w_ahead = given.w_ahead - back * s.ldw, s.state_ahead = given.state_ahead - back * s.ld_state;
      s.transposed_ahead = given.transposed_ahead - back;
    }
    if (given.rows - r < kLine) s.rows = given.rows - r;
    for (ptrdiff_t c = 0; c < s.cols; c += stepped_columns<V, NV>()) {
      step_columns<kKind, V, nr, MR, NV>(s, constants, c, nonzero);
    }
    s.w += kLine * s.ldw;
    if (s.g) s.g += kLine * s.ldg;
    if (s.m > 0) s.lhs += kLine;
    for (float*& state : s.state) state = state ? state + kLine * s.ld_state : nullptr;
    if (s.copy) s.copy += s.pairs ? kLine / 2 * nr : kLine * nr;
    if (s.transposed) s.transposed += next;
  }
}

template <class V, ptrdiff_t nr, int MR, int NV>
void optimizer_step(const OptimizerStep& s) {
  static_assert(stepped_columns<V, NV>() % (NV * V::lanes) == 0 && nr % stepped_columns<V, NV>() == 0);
  switch (s.kind) {
    case OptimizerStep::kSgd:
      return optimizer_step_of<OptimizerStep::kSgd, V, nr, MR, NV>(s);
    case OptimizerStep::kMomentum:
      return optimizer_step_of<OptimizerStep::kMomentum, V, nr, MR, NV>(s);
    case OptimizerStep::kNesterov:
      return optimizer_step_of<OptimizerStep::kNesterov, V, nr, MR, NV>(s);
    case OptimizerStep::kAdamW:
      return optimizer_step_of<OptimizerStep::kAdamW, V, nr, MR, NV>(s);
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_OPTIMIZER_H
