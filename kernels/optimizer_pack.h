// Packs stepped parameters into w and w^T (OptimizerPacks), lanes x lanes of them at a time.
#ifndef IDELTA_KERNELS_OPTIMIZER_PACK_H
#define IDELTA_KERNELS_OPTIMIZER_PACK_H

#include "kernels/bf16.h"
#include "kernels/compiler.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"

namespace idelta {

// Only whole lines are worth writing past the caches: of halves a training step took 1.1 to 1.3 times as long (AVX2).
template <class V>
inline constexpr bool kStreams = V::lanes == kLine;

// The block at row r and column c. kWhole: it has all rows and columns. nr: the width of the packs.
template <bool kWhole, class V, ptrdiff_t nr>
struct PackBlock {
  const OptimizerStep& s;
  ptrdiff_t r, c;

  IDELTA_INLINE void floats(V (&block)[V::lanes]) const {
    const OptimizerPacks& to = s.packs;
    if (to.copy) store<kStore>(block, to.copy + r * nr + c, s.rows - r);
    if (!to.transposed) return;
    transpose(block);
    store_far(block, to.transposed + c * nr + r, s.cols - c);
  }

  IDELTA_INLINE void pairs(V (&block)[V::lanes]) const {
    if (s.packs.low_plane == 0) {
      IDELTA_UNROLL for (V& row : block) row = bf16_part<Bf16Part::kRounded>(row);
      high_halves(block, 0);
    } else {
      V hi[V::lanes];
      IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) hi[i] = bf16_part<Bf16Part::kHi>(block[i]);
      high_halves(hi, 0);
      IDELTA_UNROLL for (V& row : block) row = bf16_part<Bf16Part::kLo>(row);
      high_halves(block, s.packs.low_plane);
    }
  }

 private:
  enum How { kStore, kStoreAndFetch, kStream };

  IDELTA_INLINE void high_halves(V (&block)[V::lanes], ptrdiff_t plane) const {
    const OptimizerPacks& to = s.packs;
    if (to.copy) paired<true>(block, to.copy + plane, r, c, s.rows - r);
    if (!to.transposed) return;
    if constexpr (kWhole && V::lanes > 1) {
      V pairs[V::lanes / 2];
      transpose_pairs(block, pairs);
      store_far(pairs, to.transposed + plane + c / 2 * nr + r, V::lanes / 2);
    } else {
      transpose(block);
      paired<false>(block, to.transposed + plane, c, r, s.cols - c);
    }
  }

  // Stores up to `rows` rows of a pack at (row, column), two rows in a word.
  template <bool kNear>
  IDELTA_INLINE void paired(const V (&block)[V::lanes], Word* words, ptrdiff_t row, ptrdiff_t column,
                            ptrdiff_t rows) const {
    words += row / 2 * nr + column;
    if constexpr (V::lanes == 1) {
      store_high_halves(block[0], reinterpret_cast<uint16_t*>(words) + row % 2);
    } else {
      V pairs[V::lanes / 2];
      IDELTA_UNROLL for (int i = 0; i < V::lanes; i += 2) {
        const V odd = kWhole || i + 1 < rows ? block[i + 1] : V::zero();  // a NaN of x spreads past the columns
        pairs[i / 2] = pair_high_halves(block[i], odd);
      }
      kNear ? store<kStore>(pairs, words, (rows + 1) / 2) : store_far(pairs, words, (rows + 1) / 2);
    }
  }

  // Stores up to `rows` rows of a pack; the others are padding and stay zero.
  template <How kHow, int N>
  IDELTA_INLINE void store(const V (&block)[N], Word* words, ptrdiff_t rows) const {
    IDELTA_UNROLL for (int i = 0; i < N; ++i, words += nr) {
      if (!kWhole && i >= rows) break;
      if constexpr (kHow == kStream) {
        stream(block[i], words);
      } else {
        block[i].store(words);
      }
      if (kHow == kStoreAndFetch) fetch_next(words + s.packs.transposed_ahead);
    }
  }
  // The same for the transposed pack.
  template <int N>
  IDELTA_INLINE void store_far(const V (&block)[N], Word* words, ptrdiff_t rows) const {
    if constexpr (kStreams<V>) {
      if (s.packs.streams) return store<kStream>(block, words, rows);
    }
    if (begins_line<V>(r)) return store<kStoreAndFetch>(block, words, rows);
    store<kStore>(block, words, rows);
  }
};

// Packs a stepped square and returns the or of all parameters. kPairs is a template argument because the code for
// pairs, unused, costs fp32 up to a fifth (AVX2).
template <bool kWhole, bool kPairs, class V, ptrdiff_t nr>
IDELTA_TILE V pack_square(const OptimizerStep& s, ptrdiff_t c) {
  V seen = V::zero();
  for (ptrdiff_t j = c; j < c + kLine && (kWhole || j < s.cols); j += V::lanes) {
    const auto mask = V::first(kWhole ? V::lanes : s.cols - j);
    for (ptrdiff_t i = 0; i < kLine && (kWhole || i < s.rows); i += V::lanes) {
      const float* const w = s.w + i * s.ldw + j;
      V block[V::lanes];
      IDELTA_UNROLL for (int k = 0; k < V::lanes; ++k) {
        block[k] = kWhole || i + k < s.rows ? V::load(w + k * s.ldw, mask) : V::zero();
        seen = seen | block[k];
      }
      const PackBlock<kWhole, V, nr> pack{s, i, j};
      kPairs ? pack.pairs(block) : pack.floats(block);
    }
  }
  return seen;
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_OPTIMIZER_PACK_H
