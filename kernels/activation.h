// Activations and their gradients over any vector type V of an ISA's vector.h; the same operations in the same order on
// every ISA, hence the same bits.
#ifndef IDELTA_KERNELS_ACTIVATION_H
#define IDELTA_KERNELS_ACTIVATION_H

#include "kernels/kernels.h"

namespace idelta {

// The piecewise linear part of an activation, its constants in registers. NaN passes.
template <class V>
struct PiecewiseLinear {
  V slope, low, high;

  explicit PiecewiseLinear(const ActivationArgs& a)
      : slope(V::splat(a.slope)), low(V::splat(a.low)), high(V::splat(a.high)) {}

  V clamp(V z) const { return min(high, max(low, z)); }
  V operator()(V z) const { return clamp(max(slope * z, z)); }
};

// tanh within 2 ulp (tests/activation_test.cc measures it over all floats of a stride). Below 0.625 the odd polynomial
// of Cephes' tanhf (S. L. Moshier, netlib), above it 1 - 2 / (exp(2|z|) + 1) with exp by Cody and Waite reduction.
template <class V>
V tanh_of(V z) {
  const V magnitude = abs(z);

  const V s = z * z;
  V p = V::splat(-5.70498872745e-3f);
  p = fma(p, s, V::splat(2.06390887954e-2f));
  p = fma(p, s, V::splat(-5.37397155531e-2f));
  p = fma(p, s, V::splat(1.33314422036e-1f));
  p = fma(p, s, V::splat(-3.33332819422e-1f));
  const V near_zero = fma(z, p * s, z);

  // tanh(10) rounds to 1; the clamp keeps 2^k in range and lets NaN through.
  const V t = min(V::splat(10.0f), magnitude) + min(V::splat(10.0f), magnitude);
  const V k = round(t * V::splat(1.44269504088896341f));
  V r = fnma(k, V::splat(0.693359375f), t);
  r = fnma(k, V::splat(-2.12194440e-4f), r);
  V q = V::splat(1.9875691500e-4f);
  q = fma(q, r, V::splat(1.3981999507e-3f));
  q = fma(q, r, V::splat(8.3334519073e-3f));
  q = fma(q, r, V::splat(4.1665795894e-2f));
  q = fma(q, r, V::splat(1.6666665459e-1f));
  q = fma(q, r, V::splat(5.0000001201e-1f));
  const V exponential = (fma(q, r * r, r) + V::splat(1.0f)) * power_of_two(k);
  const V far = V::splat(1.0f) - V::splat(2.0f) / (exponential + V::splat(1.0f));

  const V finite = if_less(magnitude, V::splat(0.625f), near_zero, copysign(far, z));
  return if_less_equal(magnitude, magnitude, finite, z);  // NaN as it came
}

// dy * act'(y), see ActivationGradient. kStep: act' is 0 or 1, which needs a third of the operations.
//
// opaque() keeps Clang from making dy * (0 < y ? 1 : slope) of the first line: where denormals are zero, dy * 1 is not
// dy. GCC does not do that, and opaque() would cost it its vectorisation of the scalar table (4.6 times the time).
template <bool kStep, class V>
V gradient_of(const ActivationGradient& a, V dy, V y) {
  V dz = kStep ? dy : if_less(V::zero(), y, dy, opaque(V::splat(a.slope) * dy));
  dz = if_less_equal(y, V::splat(a.low), V::zero(), dz);
  dz = if_less_equal(V::splat(a.high), y, V::zero(), dz);
  if (!kStep && a.tanh) dz = opaque(dz * fnma(y, y, V::splat(1.0f)));
  return if_less_equal(y, y, dz, y);  // NaN of y
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_ACTIVATION_H
