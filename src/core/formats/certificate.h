// Certificates: proved upper bounds of a packed delta's error (idelta_delta_info_t.certificate), from the measured
// difference between D and what is stored.
#ifndef IDELTA_CORE_FORMATS_CERTIFICATE_H
#define IDELTA_CORE_FORMATS_CERTIFICATE_H

#include <cstdint>
#include <limits>
#include <vector>

namespace idelta::core {

// Upper bounds of spectral norms, the same for both directions of a delta unless they store different D~.
struct Norms {
  double stored;    // of D - D~: what storing drops
  double values;    // of D~; LOW_RANK: of U
  double second;    // of the second of two bf16 numbers; LOW_RANK: of V; else 0
  double tail = 0;  // LOW_RANK: of its tail
  // LOW_RANK's forward direction, if measured against D: of U^T U - I and of U^T (D - D~).
  double departure = std::numeric_limits<double>::infinity(), overlap = 0;
};

// The error of an operator for a row x before the last rounding, in multiples of ||x||_2.
struct ErrorTerms {
  double stored = 0;        // || x (B - B~) ||_2
  double rounded_rows = 0;  // || (x - x~) B~ ||_2, where x is rounded, too
  double sums = 0;          // the roundings of the sums of x~ B~, and what the last rounding adds to them
  // || (x - x~) B~ ||_2 and its roundings where x is rounded to integers: in multiples of ||x - x~||_2, and of
  // ||x||_inf.
  double of_change = 0, of_largest = 0;
};

// Of ||x||_2 >= ||x||_inf, for every row of finite x at the unscaled range of fp32, before activation and with b = 0.
double certificate(const ErrorTerms& terms, float identity_scale);

// The roundings in the sum of one element.
struct Roundings {
  std::vector<double> of_step;  // relative error of a step's term, including the rounding of a x + sum
  double of_norm;               // of all sums of a row together, relative to ||x|| ||B||
};
// A chain of multiply-adds over k steps, the last term of which passes through `least` roundings.
Roundings chain_roundings(int64_t k, int64_t least);
// AMX's tiles, for each of `products` products: chains of at most 16 terms, then one addition for 32 steps.
Roundings tile_roundings(int64_t k, int64_t products);

// All terms but `stored` of a product of integers, with B~ (k x cols) of this norm.
ErrorTerms error_of_integers(int64_t k, double norm);

// ErrorTerms::sums of B~ (k x cols, dense) whose norm is at most `norm`, for rows at most size_of_rows ||x||.
double error_of_sums(int64_t k, int64_t cols, const std::vector<float>& B, const Roundings& roundings, double norm,
                     double size_of_rows = 1);

// Rounding to bf16: relative to the number, and to what it is rounded to.
inline constexpr double kBf16Rounding = 1.0 / 257, kBf16HalfUlp = 0x1p-8;

// The worst-case error of SGEMM with W = a I + D rounded to fp32: F32's bound applied to W, rounded down.
double sgemm_error(int64_t n, const std::vector<float>& D, float identity_scale);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_CERTIFICATE_H
