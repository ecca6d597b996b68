// One optimiser step over any vector type V of an ISA's vector.h, in blocks that stay in registers from the first
// product of the gradient to the transposed store: gradient and parameters through L1 took twice as long (n 256, m 4).
#ifndef IDELTA_KERNELS_OPTIMIZER_H
#define IDELTA_KERNELS_OPTIMIZER_H

#include "kernels/bf16.h"
#include "kernels/compiler.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"

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

// Up to lanes x lanes parameters, from row r and column c on. kWhole: so many, and nothing needs a mask.
template <OptimizerStep::Kind kKind, bool kWhole, class V, ptrdiff_t nr>
struct OptimizerBlock {
  const OptimizerStep& s;
  const OptimizerConstants<V>& constants;
  ptrdiff_t r, c;
  typename V::Mask mask = V::first(kWhole ? V::lanes : s.cols - c);

  // Blocks narrower than a line fetch it once, not twice: up to 3 % (AVX2).
  static IDELTA_INLINE bool begins_line(ptrdiff_t at) { return V::lanes >= kLine || at % kLine == 0; }
  IDELTA_INLINE bool has(int i) const { return kWhole || r + i < s.rows; }

  // The gradient: the chain of f32_weights, to the bit.
  IDELTA_INLINE void multiply(V (&sum)[V::lanes]) const {
    IDELTA_UNROLL for (V& row : sum) row = V::zero();
    if (s.g) {
      const float* g = s.g + r * s.ldg + c;
      IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
        if (has(i)) sum[i] = V::load(g + i * s.ldg, mask);
      }
    }
    if (s.m == 0) return;
    const float *x = s.lhs + r, *dz = s.rhs + c;  // fetching their next rows cost 3 % at m = 64
    for (ptrdiff_t p = 0; p < s.m; ++p, x += s.lhs_stride, dz += s.rhs_stride) {
      const V column = V::load(dz, mask);
      IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
        if (has(i)) sum[i] = fma(V::splat(x[i]), column, sum[i]);
      }
    }
  }

  // Parameters in place of their gradient; theirs, and the state's, for the next call are fetched.
  IDELTA_INLINE void step(V (&block)[V::lanes]) const {
    const OptimizerConstants<V> in_registers = constants;  // as are strides: a store could change those in memory
    const ptrdiff_t ldw = s.ldw, ld_state = s.ld_state, w_ahead = s.w_ahead, state_ahead = s.state_ahead;
    float* w = s.w + r * ldw + c;
    constexpr bool kFirst = kKind != OptimizerStep::kSgd, kSecond = kKind == OptimizerStep::kAdamW;
    float* state0 = kFirst ? s.state[0] + r * ld_state + c : w;  // w in place of what is not kept, nor touched
    float* state1 = kSecond ? s.state[1] + r * ld_state + c : w;
    IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
      if (!has(i)) break;
      block[i] = stepped<kKind>(in_registers, block[i], V::load(w, mask), state0, state1, mask);
      block[i].store(w, mask);
      if (begins_line(c)) {
        fetch_next(w + w_ahead);
        if (kFirst) fetch_next(state0 + state_ahead);
        if (kSecond) fetch_next(state1 + state_ahead);
      }
      w += ldw, state0 += ld_state, state1 += ld_state;
      forget(w), forget(state0), forget(state1);
    }
  }

  // The new parameters into both packs. Stores past the caches saved a tenth at n = 1024 and a quarter at 2048, m = 1,
  // but send the next backward_data to memory.
  IDELTA_INLINE void pack(V (&block)[V::lanes]) const {
    if (!s.pairs) return pack_both_ways(block, StoreRows{}, 0);
    V hi[V::lanes];
    IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
      hi[i] = s.low_plane == 0 ? bf16_rounded(block[i]) : Bf16Split<V>(block[i]).hi;
    }
    pack_both_ways(hi, StorePairs{}, 0);
    if (s.low_plane == 0) return;
    IDELTA_UNROLL for (V& row : block) row = Bf16Split<V>(row).lo;
    pack_both_ways(block, StorePairs{}, s.low_plane);
  }

 private:
  // Rows of a pack from row `first` on, up to `rows` of them; what comes after them has stayed zero. ahead: 0 fetches
  // nothing.
  struct StoreRows {
    IDELTA_INLINE void operator()(const V (&block)[V::lanes], float* words, ptrdiff_t first, ptrdiff_t rows,
                                  ptrdiff_t ahead) const {
      words += first * nr;
      IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
        if (!kWhole && i >= rows) break;
        block[i].store(words + i * nr);
        if (ahead != 0) fetch_next(words + i * nr + ahead);
      }
    }
  };
  // The same of bf16 numbers, two rows a word.
  struct StorePairs {
    IDELTA_INLINE void operator()(const V (&block)[V::lanes], float* words, ptrdiff_t first, ptrdiff_t rows,
                                  ptrdiff_t ahead) const {
      words += first / 2 * nr;
      if constexpr (V::lanes == 1) {
        store_high_halves(block[0], reinterpret_cast<uint16_t*>(words) + first % 2);
      } else {
        IDELTA_UNROLL for (int i = 0; i < V::lanes; i += 2) {
          if (!kWhole && i >= rows) break;
          float* const row = words + i / 2 * nr;
          const V odd = kWhole || i + 1 < rows ? block[i + 1] : V::zero();  // a NaN of x spreads past the columns
          store_pair(block[i], odd, reinterpret_cast<uint32_t*>(row), V::first(V::lanes));
          if (ahead != 0) fetch_next(row + ahead);
        }
      }
    }
  };

  template <class Store>
  IDELTA_INLINE void pack_both_ways(V (&block)[V::lanes], const Store& store, ptrdiff_t plane) const {
    if (s.copy) store(block, s.copy + plane + c, r, s.rows - r, 0);
    if (!s.transposed) return;
    transpose(block);
    store(block, s.transposed + plane + r, c, s.cols - c, begins_line(r) ? s.transposed_ahead : 0);
  }
};

// Returns the or of all new parameters.
template <OptimizerStep::Kind kKind, bool kWhole, class V, ptrdiff_t nr>
IDELTA_TILE V step_block(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t r, ptrdiff_t c) {
  const OptimizerBlock<kKind, kWhole, V, nr> at{s, constants, r, c};
  V block[V::lanes], seen = V::zero();
  at.multiply(block);
  at.step(block);
  IDELTA_UNROLL for (const V& row : block) seen = seen | row;
  at.pack(block);
  return seen;
}

// kLine x kLine parameters or what there is of them; whether any is not zero.
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr>
IDELTA_INLINE bool step_line(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t r, ptrdiff_t c) {
  V seen = V::zero();
  for (ptrdiff_t i = r; i < r + kLine && i < s.rows; i += V::lanes) {
    for (ptrdiff_t j = c; j < c + kLine && j < s.cols; j += V::lanes) {
      const bool whole = i + V::lanes <= s.rows && j + V::lanes <= s.cols;
      seen = seen | (whole ? step_block<kKind, true, V, nr>(s, constants, i, j)
                           : step_block<kKind, false, V, nr>(s, constants, i, j));
    }
  }
  return any_nonzero(seen);
}

// Up to nr rows; returns where `nonzero` goes on.
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr>
IDELTA_INLINE bool* step_panel(const OptimizerStep& s, const OptimizerConstants<V>& constants, bool* nonzero) {
  for (ptrdiff_t r = 0; r < s.rows; r += kLine) {
    for (ptrdiff_t c = 0; c < s.cols; c += kLine) {
      const bool any = step_line<kKind, V, nr>(s, constants, r, c);
      if (nonzero) *nonzero++ = any;
    }
  }
  return nonzero;
}

template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr>
void optimizer_step_of(const OptimizerStep& given) {
  OptimizerStep s = given;  // for all the compiler knows, a store could change what was given
  const OptimizerConstants<V> constants(s);
  bool* nonzero = s.nonzero;
  s.rows = nr;
  s.w_ahead = nr * s.ldw, s.state_ahead = nr * s.ld_state, s.transposed_ahead = s.transposed_panel_stride;
  for (ptrdiff_t left = given.rows; left > 0; left -= nr) {
    if (left <= nr) {
      s.rows = left;
      s.w_ahead = given.w_ahead, s.state_ahead = given.state_ahead, s.transposed_ahead = given.transposed_ahead;
    }
    nonzero = step_panel<kKind, V, nr>(s, constants, nonzero);
    s.w += nr * s.ldw;
    if (s.g) s.g += nr * s.ldg;
    if (s.m > 0) s.lhs += nr;
    for (float*& state : s.state) state = state ? state + nr * s.ld_state : nullptr;
    if (s.copy) s.copy += s.pairs ? nr / 2 * nr : nr * nr;
    if (s.transposed) s.transposed += s.transposed_panel_stride;
  }
}

template <class V, ptrdiff_t nr>
void optimizer_step(const OptimizerStep& s) {
  switch (s.kind) {
    case OptimizerStep::kSgd:
      return optimizer_step_of<OptimizerStep::kSgd, V, nr>(s);
    case OptimizerStep::kMomentum:
      return optimizer_step_of<OptimizerStep::kMomentum, V, nr>(s);
    case OptimizerStep::kNesterov:
      return optimizer_step_of<OptimizerStep::kNesterov, V, nr>(s);
    case OptimizerStep::kAdamW:
      return optimizer_step_of<OptimizerStep::kAdamW, V, nr>(s);
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_OPTIMIZER_H
