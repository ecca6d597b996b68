// A tile of parameters in registers, up to MR rows of NV vectors: first its gradient, then the step.
#ifndef IDELTA_KERNELS_OPTIMIZER_STEP_H
#define IDELTA_KERNELS_OPTIMIZER_STEP_H

#include "kernels/compiler.h"
#include "kernels/optimizer_rules.h"
#include "kernels/pack.h"

namespace idelta {

// A rule's numbers in registers.
template <class Rule, class V>
struct ConstantsOf {
  template <int N>
  static constexpr int count(OptimizerConstants<N> (*)(const idelta_optimizer&)) {
    return N;
  }
  static constexpr int kCount = count(Rule::constants);
  static_assert(kCount <= kMostConstants);
  OptimizerConstants<kCount, V> all;

  IDELTA_INLINE explicit ConstantsOf(const OptimizerStep& s) {
    IDELTA_UNROLL for (int i = 0; i < kCount; ++i) all.at[i] = V::splat(s.constants[i]);
  }
};

// Walks rows of parameters and their state, from row r and column c on.
template <class Rule, class V>
struct ParameterRows {
  const ConstantsOf<Rule, V> constants;  // a copy, as are the strides, because stores could alias the originals
  const ptrdiff_t ldw, ld_state, w_ahead, state_ahead;
  float *w, *state[Rule::states + 1];  // one more: there are no empty arrays

  IDELTA_INLINE ParameterRows(const OptimizerStep& s, const ConstantsOf<Rule, V>& given, ptrdiff_t r, ptrdiff_t c)
      : constants(given),
        ldw(s.ldw),
        ld_state(s.ld_state),
        w_ahead(s.w_ahead),
        state_ahead(s.state_ahead),
        w(s.w + r * s.ldw + c) {
    IDELTA_UNROLL for (int k = 0; k < Rule::states; ++k) state[k] = s.state[k] + r * s.ld_state + c;
  }

  // Steps one vector with gradient g; returns the new parameters.
  IDELTA_INLINE V step(V g, ptrdiff_t at, typename V::Mask mask) const {
    V kept[Rule::states + 1];
    IDELTA_UNROLL for (int k = 0; k < Rule::states; ++k) kept[k] = V::load(state[k] + at, mask);
    const V next = Rule::step(constants.all, g, V::load(w + at, mask), kept);
    IDELTA_UNROLL for (int k = 0; k < Rule::states; ++k) kept[k].store(state[k] + at, mask);
    next.store(w + at, mask);
    return next;
  }
  // Prefetches what is stepped later; see OptimizerStep.
  IDELTA_INLINE void fetch(ptrdiff_t at) const {
    fetch_next(w + at + w_ahead);
    IDELTA_UNROLL for (int k = 0; k < Rule::states; ++k) fetch_next(state[k] + at + state_ahead);
  }
  IDELTA_INLINE void advance() {
    w += ldw;
    forget(w);
    IDELTA_UNROLL for (int k = 0; k < Rule::states; ++k) state[k] += ld_state, forget(state[k]);
  }
};

// kWhole: the tile has all rows and columns and needs no masks.
template <class Rule, bool kWhole, class V, int MR, int NV>
struct StepTile {
  const OptimizerStep& s;
  ptrdiff_t r, c;  // its first row and column

  IDELTA_INLINE typename V::Mask mask(int v) const { return V::first(kWhole ? V::lanes : s.cols - c - v * V::lanes); }
  IDELTA_INLINE bool has(int i) const { return kWhole || r + i < s.rows; }

  // Gives the bits of f32_weights.
  IDELTA_INLINE void multiply(V (&sum)[MR][NV]) const {
    const GradientTile& given = s.gradient;
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = V::zero();
    if (given.g) {
      const float* g = given.g + r * given.ldg + c;
      IDELTA_UNROLL for (int i = 0; i < MR; ++i, g += given.ldg) {
        if (!has(i)) break;
        IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = V::load(g + v * V::lanes, mask(v));
      }
    }
    if (given.m == 0) return;
    const float *x = given.lhs + r, *dz = given.rhs + c;
    for (ptrdiff_t p = 0; p < given.m; ++p, x += given.lhs_stride, dz += given.rhs_stride) {
      V columns[NV];
      IDELTA_UNROLL for (int v = 0; v < NV; ++v) columns[v] = V::load(dz + v * V::lanes, mask(v));
      IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
        if (!has(i)) break;
        const V row = V::splat(x[i]);
        IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = fma(row, columns[v], sum[i][v]);
      }
    }
  }

  // Replaces the gradient in `tile` by the new parameters.
  IDELTA_INLINE void step(const ConstantsOf<Rule, V>& constants, V (&tile)[MR][NV]) const {
    ParameterRows<Rule, V> row(s, constants, r, c);
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

}  // namespace idelta

#endif  // IDELTA_KERNELS_OPTIMIZER_STEP_H
