// The passes in fp64, written for the eye, each with the elementwise error an fp32 library may make.
//
// u = 2^-24. A chain of k fused multiply-adds errs by at most k u sum|a_i b_i| (first order); what the terms of the
// bounds are for stands beside each function. Every bound also allows kUnderflow per rounding, for results that become
// zero; operands that do are the business of the test that has them.
#pragma once

#include <idelta/idelta.h>

#include <cstdint>
#include <vector>

#include "support/guard_buffer.h"

namespace idelta_test {

constexpr double kUnit = 0x1p-24;
constexpr double kUnderflow = 0x1p-126;

// Row-major, rows x cols, no gaps.
struct Dense {
  int64_t rows;
  int64_t cols;
  std::vector<double> at;
  double& operator()(int64_t i, int64_t j) { return at[static_cast<size_t>(i * cols + j)]; }
  double operator()(int64_t i, int64_t j) const { return at[static_cast<size_t>(i * cols + j)]; }
};
Dense zeros(int64_t rows, int64_t cols);
Dense dense(View a);
// The same as the format under test stores it: bf16, nearest even, or the sum of two; integers times a scale a column.
Dense stored(View a);
Dense stored(const Dense& a);
// What rounding x, within its own error, may add to the error of x D: where x is rounded to bf16, a share of |x||D|,
// whose values `spread` has; as integers a share of each row's largest entry for every entry of D.
Dense rounding_of_rows(const Dense& x, const Dense& D, const Dense& spread);
Dense transpose(const Dense& a);
Dense magnitude(const Dense& a);
Dense multiply(const Dense& a, const Dense& b);

// A result and how far an fp32 one may be from it, element by element.
struct Bounded {
  Dense value;
  Dense bound;
};

double activate(idelta_activation activation, double z);
// act'(z) from y = act(z), at a kink that of the flat side.
double activation_slope(idelta_activation activation, double y);

// contribution: (n+2) u (|x||D| + |b|);  z: (n+3) u (|x||D| + |b|) + 2u |a x|. The activations are
// 1-Lipschitz, so y keeps z's bound; leaky_relu rounds once more, tanh is allowed 4 ulp more.
// With D as the format under test stores it; formats that round x may err by rounding_of_rows() more.
struct ForwardReference {
  Bounded contribution;
  Bounded y;
};
ForwardReference forward_reference(View x, View D, const float* bias, float identity_scale,
                                   idelta_activation activation);

// dz: 3u |dy| (act' rounds at most twice, the product once);
// dx: (n+3) u |dz||D|^T + 2u |a dz|, and dz's own error carried through.
struct BackwardDataReference {
  Bounded dz;
  Bounded dx;
};
BackwardDataReference backward_data_reference(View dy, View y, View D, float identity_scale,
                                              idelta_activation activation);

// dD: (m+3) u (|beta dD| + |x|^T |dz|), db alike: a product, m terms and a store or two. dD of x and dz as the format
// under test rounds them, if rounds_weights(m); sums of two leave out the product of the second ones.
bool rounds_weights(int64_t m);
struct BackwardWeightsReference {
  Bounded dD;
  Bounded db;
};
BackwardWeightsReference backward_weights_reference(View x, View dz, double beta, const Dense& dD, const Dense& db);

// y = alpha (a x + x D) + beta y: the bound of z, scaled, and a rounding or two for each of alpha and beta.
Bounded sidmm_reference(View x, const Dense& D, double alpha, double identity_scale, double beta, const Dense& y);

// One parameter through one optimiser step, in the words of idelta_optimizer_kind.
struct Parameter {
  double value;
  double state[2];
};
Parameter optimizer_step(const idelta_optimizer& optimizer, bool decays, Parameter before, double gradient);

// The same with a bound: what a gradient that errs by gradient_bound can change, and 16 u of every term added.
struct BoundedParameter {
  Parameter after;
  Parameter bound;
};
BoundedParameter optimizer_step_bounded(const idelta_optimizer& optimizer, bool decays, Parameter before,
                                        double gradient, double gradient_bound);

// Fails the running test at the first element that is further from the reference than the bound allows.
void expect_within(View actual, const Bounded& expected, const char* what);

// Fails at the first element that differs as a number (-0 equals 0).
void expect_equal(View actual, const Dense& expected, const char* what);

}  // namespace idelta_test
