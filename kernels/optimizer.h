// One optimiser step over any vector type V of an ISA's vector.h, and the new parameters into the packed forms while
// they are in L1. Keeping them in registers until they are transposed was slower: GCC 12 drowns in addresses.
#ifndef IDELTA_KERNELS_OPTIMIZER_H
#define IDELTA_KERNELS_OPTIMIZER_H

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

// Rows [r, end), one after the other: both lines of a row together, as memory likes it. seen: the or of all new w, for
// each line of the columns.
template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr>
IDELTA_INLINE void step_rows(const OptimizerStep& s, const OptimizerConstants<V>& constants, ptrdiff_t r, ptrdiff_t end,
                             V (&seen)[nr / kLine]) {
  const float* g = s.g + r * s.ldg;
  float *w = s.w + r * s.ldw, *copy = s.copy + r * nr;
  float *state0 = s.state[0] + r * s.ld_state, *state1 = s.state[1] + r * s.ld_state;
  const auto at = [&](ptrdiff_t c, typename V::Mask mask, V& line_seen) {
    const V next = stepped<kKind>(constants, V::load(g + c, mask), V::load(w + c, mask), state0 + c, state1 + c, mask);
    line_seen = line_seen | next;
    next.store(w + c, mask);
    if (s.copy) next.store(copy + c);
    fetch_far(w + c + s.w_ahead);
    if (kKind != OptimizerStep::kSgd) fetch_far(state0 + c + s.state_ahead);
    if (kKind == OptimizerStep::kAdamW) fetch_far(state1 + c + s.state_ahead);
  };
  for (ptrdiff_t i = r; i < end; ++i) {
    if (s.cols == nr) {
      IDELTA_UNROLL for (ptrdiff_t c = 0; c < nr; c += V::lanes) at(c, V::first(V::lanes), seen[c / kLine]);
    } else {
      for (ptrdiff_t c = 0; c < s.cols; c += V::lanes) at(c, V::first(s.cols - c), seen[c / kLine]);
    }
    g += s.ldg, w += s.ldw, copy += nr, state0 += s.ld_state, state1 += s.ld_state;
  }
}

// The transpose of rows [r, r + kLine) of w, from L1, where they have just been written.
template <class V, ptrdiff_t nr>
IDELTA_INLINE void transpose_line(const OptimizerStep& s, ptrdiff_t r) {
  const PackPanel panel{.rows = s.cols, .cols = s.rows, .src = s.w, .ld = s.ldw, .width = nr, .dst = s.transposed};
  for (ptrdiff_t i = r; i < r + kLine && i < nr; i += V::lanes) {
    for (ptrdiff_t c = 0; c < s.cols; c += V::lanes) {
      if (i + V::lanes <= s.rows && c + V::lanes <= s.cols) {
        transpose_block<true, V>(panel, c, i);
      } else {
        transpose_block<false, V>(panel, c, i);
      }
      for (ptrdiff_t k = 0; k < V::lanes; ++k) fetch_far(s.transposed + (c + k) * nr + i + s.transposed_ahead);
    }
  }
}

template <OptimizerStep::Kind kKind, class V, ptrdiff_t nr>
IDELTA_TILE void optimizer_step_of(const OptimizerStep& given) {
  const OptimizerStep s = given;  // for all the compiler knows, a store could change what was given
  const OptimizerConstants<V> constants(s);
  bool* nonzero = s.nonzero;
  for (ptrdiff_t r = 0; r < s.rows; r += kLine) {
    const ptrdiff_t end = r + kLine < s.rows ? r + kLine : s.rows;
    V seen[nr / kLine];
    IDELTA_UNROLL for (V& line : seen) line = V::zero();
    step_rows<kKind, V, nr>(s, constants, r, end, seen);
    for (ptrdiff_t j = 0; nonzero && j * kLine < s.cols; ++j) *nonzero++ = any_nonzero(seen[j]);
    if (s.transposed) transpose_line<V, nr>(s, r);
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
