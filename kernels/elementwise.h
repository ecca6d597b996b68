// What is done an element at a time, over any vector type V of an ISA's vector.h: column sums, the optimiser, y += z.
#ifndef IDELTA_KERNELS_ELEMENTWISE_H
#define IDELTA_KERNELS_ELEMENTWISE_H

#include "kernels/kernels.h"

namespace idelta {

// One chain a column, rows ascending.
template <class V>
void column_sums(ptrdiff_t rows, ptrdiff_t cols, const float* src, ptrdiff_t ld, float* sums) {
  for (ptrdiff_t c = 0; c < cols; c += V::lanes) {
    const auto mask = V::first(cols - c);
    V sum = V::load(sums + c, mask);
    for (ptrdiff_t r = 0; r < rows; ++r) sum = sum + V::load(src + r * ld + c, mask);
    sum.store(sums + c, mask);
  }
}

// The new w; state_offset is this vector's place in the state arrays.
template <class V>
V optimizer_step_at(const OptimizerStep& s, V g, V w, ptrdiff_t state_offset, typename V::Mask mask) {
  const V rate = V::splat(s.learning_rate), decay = V::splat(s.weight_decay), momentum = V::splat(s.momentum);
  if (s.kind == OptimizerStep::kAdamW) {
    float *const state0 = s.state[0] + state_offset, *const state1 = s.state[1] + state_offset;
    const V first = fma(momentum, V::load(state0, mask), (V::splat(1.0f) - momentum) * g);
    const V second = fma(V::splat(s.beta2), V::load(state1, mask), V::splat(1.0f - s.beta2) * (g * g));
    first.store(state0, mask);
    second.store(state1, mask);
    const V denominator = fma(sqrt(second), V::splat(s.second_correction), V::splat(s.epsilon));
    const V step = fma(decay, w, V::splat(s.first_correction) * first / denominator);
    return fnma(rate, step, w);
  }
  g = fma(decay, w, g);
  if (s.kind == OptimizerStep::kSgd) return fnma(rate, g, w);
  float* const state = s.state[0] + state_offset;
  const V velocity = fma(momentum, V::load(state, mask), g);
  velocity.store(state, mask);
  return fnma(rate, s.kind == OptimizerStep::kNesterov ? fma(momentum, velocity, g) : velocity, w);
}

template <class V>
bool optimizer_step(const OptimizerStep& s) {
  V seen = V::zero();
  for (ptrdiff_t j = 0; j < s.cols; j += V::lanes) {
    const auto mask = V::first(s.cols - j);
    for (ptrdiff_t i = 0; i < s.rows; ++i) {
      float* const w = s.w + i * s.ldw + j;
      const V g = V::load(s.g + i * s.ldg + j, mask);
      const V stepped = optimizer_step_at(s, g, V::load(w, mask), i * s.ld_state + j, mask);
      stepped.store(w, mask);
      seen = seen | stepped;
    }
  }
  return any_nonzero(seen);
}

template <class V>
void scale_add(ptrdiff_t count, float alpha, const float* z, float beta, float* y) {
  for (ptrdiff_t i = 0; i < count; i += V::lanes) {
    const auto mask = V::first(count - i);
    V v = V::splat(alpha) * V::load(z + i, mask);
    if (beta != 0.0f) v = fma(V::splat(beta), V::load(y + i, mask), v);
    v.store(y + i, mask);
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_ELEMENTWISE_H
