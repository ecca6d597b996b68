// Deltas of LOW_RANK: matrices of known singular values, what a pack holds, and what its passes promise to the bit.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/fixture.h"
#include "support/mxcsr.h"
#include "support/reference.h"
#include "support/runs.h"

namespace idelta_test {

inline idelta_delta_options low_rank_options(int64_t rank, double tolerance = 0) {
  idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
  options.format = IDELTA_FORMAT_LOW_RANK;
  options.rank = rank;
  options.tolerance = tolerance;
  return options;
}

struct FactorPair {
  Matrix U, V;
};

inline DeltaPtr pack_factors(const ContextPtr& context, const FactorPair& f,
                             const idelta_delta_options& options = low_rank_options(0)) {
  idelta_delta* delta = nullptr;
  EXPECT_OK(idelta_delta_pack_factors(context.get(), f.V.cols(), f.V.rows(), f.U.data(), f.U.ld(), f.V.data(), f.V.ld(),
                                      &options, &delta));
  return DeltaPtr(delta);
}

// Columns of U grow by 2^step from one to the next and rows of V shrink likewise, five by five.
inline FactorPair unlike_factors(int64_t n, int64_t r, int step, Random& random) {
  FactorPair f{Matrix(n, r), Matrix(r, n)};
  fill_uniform(f.U, random), fill_uniform(f.V, random, 0.1f);
  for (int64_t j = 0; j < r; ++j) {
    for (int64_t i = 0; i < n; ++i) {
      f.U(i, j) = std::ldexp(f.U(i, j), static_cast<int>(j % 5) * step);
      f.V(j, i) = std::ldexp(f.V(j, i), static_cast<int>(j % 5) * -step);
    }
  }
  return f;
}

inline FactorPair unpacked_factors(const ContextPtr& context, const DeltaPtr& delta) {
  const idelta_delta_info_t info = info_of(context, delta);
  FactorPair f{Matrix(info.n, info.rank, info.rank + 2), Matrix(info.rank, info.n, info.n + 3)};
  EXPECT_OK(idelta_delta_unpack_factors(context.get(), delta.get(), f.U.data(), f.U.ld(), f.V.data(), f.V.ld()));
  EXPECT_TRUE(f.U.surroundings_untouched() && f.V.surroundings_untouched());
  return f;
}

// Row i of the orthonormal cosine transform of n numbers.
inline double cosine(int64_t n, int64_t i, int64_t j) {
  const double size = std::sqrt((i == 0 ? 1.0 : 2.0) / static_cast<double>(n));
  const auto at = static_cast<double>(i) * (static_cast<double>(j) + 0.5);
  return size * std::cos(3.14159265358979323846 * at / static_cast<double>(n));
}

// D = sum of sigma_i u_i v_i^T, u and v orthonormal: cosines with random signs. Rounded to fp32 once.
inline void fill_spectrum(const Matrix& D, const std::vector<double>& sigma, Random& random) {
  const int64_t n = D.cols(), r = static_cast<int64_t>(sigma.size());
  Dense U = zeros(n, r), V = zeros(r, n);
  std::vector<double> sign(static_cast<size_t>(2 * n));
  for (double& s : sign) s = random.below(2) == 0 ? 1 : -1;
  for (int64_t i = 0; i < r; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      U(j, i) = sigma[static_cast<size_t>(i)] * sign[static_cast<size_t>(j)] * cosine(n, i, j);
      V(i, j) = sign[static_cast<size_t>(n + j)] * cosine(n, (i + 1) % n, j);
    }
  }
  const Dense product = multiply(U, V);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) D(i, j) = static_cast<float>(product(i, j));
  }
}

// Singular values as those of a trained delta: a few that matter, then a fast fall.
inline std::vector<double> falling_spectrum(int64_t n, double first = 0.3, double ratio = 0.8) {
  std::vector<double> sigma;
  for (int64_t i = 0; i < n; ++i) sigma.push_back(first * std::pow(ratio, static_cast<double>(i)));
  return sigma;
}

// || A ||_2 from below, by power iteration in fp64: within 1 % of it when gaps are not tiny.
inline double spectral_norm(const Dense& A, std::vector<double>* left = nullptr) {
  const Dense gram = multiply(A, transpose(A));
  Dense v = zeros(1, A.rows);
  Random random(11);
  for (double& value : v.at) value = static_cast<double>(random.uniform(-1, 1));
  double norm = 0;
  for (int step = 0; step < 100; ++step) {
    double size = 0;
    for (const double value : v.at) size += value * value;
    size = std::sqrt(size);
    if (!(size > 0)) break;
    for (double& value : v.at) value /= size;
    if (left) *left = v.at;
    v = multiply(v, gram);
    double next = 0;
    for (const double value : v.at) next += value * value;
    norm = std::sqrt(std::sqrt(next));
  }
  return norm;
}

// D - U V in fp64.
inline Dense dropped(View D, const FactorPair& f) {
  Dense rest = multiply(dense(f.U), dense(f.V));
  for (int64_t i = 0; i < rest.rows; ++i) {
    for (int64_t j = 0; j < rest.cols; ++j) rest(i, j) = static_cast<double>(D(i, j)) - rest(i, j);
  }
  return rest;
}

// || U^T U - I ||, largest entry.
inline double departure_from_orthonormal(View U) {
  const Dense gram = multiply(transpose(dense(U)), dense(U));
  double most = 0;
  for (int64_t i = 0; i < gram.rows; ++i) {
    for (int64_t j = 0; j < gram.cols; ++j) most = std::max(most, std::fabs(gram(i, j) - (i == j ? 1 : 0)));
  }
  return most;
}

// The promised chain: rows B from zero, one fused multiply-add a step, ascending.
inline std::vector<float> chain(const std::vector<float>& rows, int64_t m, int64_t k, const std::vector<float>& B,
                                int64_t cols) {
  std::vector<float> sums(static_cast<size_t>(m * cols), 0.0f);
  for (int64_t i = 0; i < m; ++i) {
    float* const sum = sums.data() + i * cols;
    for (int64_t p = 0; p < k; ++p) {
      const float factor = rows[static_cast<size_t>(i * k + p)];
      for (int64_t j = 0; j < cols; ++j) sum[j] = std::fma(factor, B[static_cast<size_t>(p * cols + j)], sum[j]);
    }
  }
  return sums;
}

inline std::vector<float> elements(View A, bool transposed = false) {
  std::vector<float> all;
  const int64_t rows = transposed ? A.cols : A.rows, cols = transposed ? A.rows : A.cols;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) all.push_back(transposed ? A(j, i) : A(i, j));
  }
  return all;
}

// Both passes and the factors themselves, by rank, by tolerance, of given factors and with a tail, as bits.
inline Bits run_low_rank(const ContextPtr& context, const Problem& p, int64_t rank) {
  const int64_t m = p.m, n = p.n;
  Random random(static_cast<uint64_t>(m * 1000 + n));
  const Matrix x(m, n), D(n, n), bias(1, n), y(m, n), contribution(m, n), dz(m, n), dx(m, n), row_error(1, m);
  fill_uniform(x, random, p.x_magnitude), fill_uniform(bias, random);
  fill_spectrum(D, falling_spectrum(n), random);
  FactorPair given{Matrix(n, rank), Matrix(rank, n)};
  fill_uniform(given.U, random), fill_uniform(given.V, random, 0.1f);
  const ScopedMxcsr mode(p.mxcsr);
  Bits all;
  const auto run = [&](const DeltaPtr& delta, const std::string& name) {
    const FactorPair f = unpacked_factors(context, delta);
    all[name + " U"] = f.U.element_bits();
    all[name + " V"] = f.V.element_bits();
    idelta_forward_args forward = forward_args(x, y, p.activation);
    forward.bias = bias.data();
    forward.contribution = contribution.data();
    forward.ldc = n;
    forward.row_error = row_error.data();
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
    idelta_backward_data_args backward = backward_data_args(x, y, dx, p.activation);
    backward.dz = dz.data();
    backward.lddz = n;
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
    all[name + " y"] = y.element_bits();
    all[name + " contribution"] = contribution.element_bits();
    all[name + " row_error"] = row_error.element_bits();
    all[name + " dz"] = dz.element_bits();
    all[name + " dx"] = dx.element_bits();
  };
  idelta_delta_options by_rank = low_rank_options(rank), by_tolerance = low_rank_options(n, 0.05);
  by_rank.identity_scale = by_tolerance.identity_scale = p.identity_scale;
  run(pack(context, D, by_rank), "rank");
  run(pack(context, D, by_tolerance), "tolerance");
  run(pack_factors(context, given), "factors");
  by_rank.tail = IDELTA_TAIL_INT8;
  run(pack(context, D, by_rank), "tail");
  return all;
}

}  // namespace idelta_test
