#include "layer_factors.h"

#include <algorithm>
#include <cmath>

#include "norms.h"

namespace idelta::nn {
namespace {

constexpr double kUnit = 0x1p-24;  // of fp32

DeltaOptions options_of(const Network& network, idelta_format format) {
  DeltaOptions options = kDeltaOptions;
  options.format = format;
  options.passes = IDELTA_PASS_FORWARD;
  options.identity_scale = network.options().identity_scale;
  return options;
}

double norm(const float* values, int64_t count) {
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) squares += static_cast<double>(values[i]) * values[i];
  return std::sqrt(squares);
}

LayerFactors unpacked(const Delta& packed, int64_t n) {
  LayerFactors factors;
  factors.rank = packed.info().rank;
  const auto entries = static_cast<size_t>(n * factors.rank);
  factors.U.resize(entries);
  factors.V.resize(entries);
  if (factors.rank > 0) packed.unpack_factors(factors.U.data(), factors.rank, factors.V.data(), n);
  for (int64_t r = 0; r < factors.rank; ++r) factors.sigma.push_back(norm(factors.V.data() + r * n, n));
  return factors;
}

// 64 columns take a tenth of the time of 357 at n = 794, and show how singular values fall.
constexpr int64_t kFirstRank = 64;

// Columns with which singular values will have fallen to `wanted`, if they go on falling like the power of their index
// that their second half follows; a quarter more to be safe.
int64_t rank_expected(const std::vector<double>& sigma, double wanted) {
  const auto count = static_cast<double>(sigma.size());
  const double power = std::log2(sigma[sigma.size() / 2] / sigma.back());
  const double rank = 1.25 * count * std::pow(sigma.back() / wanted, 1 / power);
  return rank < 1e6 ? static_cast<int64_t>(rank) : int64_t{1'000'000};
}

}  // namespace

int64_t largest_worthwhile_rank(int64_t n) {
  auto rank = static_cast<int64_t>(kWorthwhileShare * static_cast<double>(n) / 2);
  while (2 * static_cast<double>(rank) >= kWorthwhileShare * static_cast<double>(n)) --rank;
  return std::max<int64_t>(rank, 0);
}

LayerBounds bounds_of(const Network& network, const std::vector<float>& D) {
  const int64_t n = network.n();
  const Delta dense(network.context(), n, D.data(), n, options_of(network, IDELTA_FORMAT_F32));
  return {.norm = spectral_norm_bound(network.context(), n, D.data(), n, network.options().identity_scale),
          .delta_norm = spectral_norm_bound(network.context(), n, D.data(), n, 0.0f),
          .dense_error = dense.info().certificate};
}

LayerFactors factors_of_rank(const Network& network, const std::vector<float>& D, int64_t rank) {
  const int64_t n = network.n();
  DeltaOptions options = options_of(network, IDELTA_FORMAT_LOW_RANK);
  options.rank = std::max<int64_t>(1, std::min(rank, n));
  LayerFactors factors = unpacked(Delta(network.context(), n, D.data(), n, options), n);
  factors.complete = factors.rank < options.rank || factors.rank == n;
  return factors;
}

LayerFactors leading_factors(const Network& network, const std::vector<float>& D) {
  return factors_of_rank(network, D, std::min(kFirstRank, largest_worthwhile_rank(network.n())));
}

LayerFactors factors_above(const Network& network, const std::vector<float>& D, double sigma, LayerFactors leading) {
  const int64_t most = largest_worthwhile_rank(network.n());
  LayerFactors factors = std::move(leading);
  while (!factors.complete && factors.rank < most && factors.sigma.back() > sigma) {
    const int64_t rank = std::max(2 * factors.rank, rank_expected(factors.sigma, sigma));
    factors = factors_of_rank(network, D, std::min(most, rank));
  }
  return factors;
}

LayerFactors no_factors(const std::vector<float>& D) {
  LayerFactors none;
  none.complete = std::all_of(D.begin(), D.end(), [](float v) { return v == 0; });
  return none;
}

int64_t rank_above(const LayerFactors& factors, int64_t n, double sigma) {
  const auto kept = std::count_if(factors.sigma.begin(), factors.sigma.end(), [&](double s) { return s > sigma; });
  const int64_t rank = std::min(factors.rank, std::max<int64_t>(kLeastRank, kept));
  const bool more_are_left = kept == factors.rank && !factors.complete;
  return more_are_left || rank > largest_worthwhile_rank(n) ? kDense : rank;
}

namespace {

std::vector<float> values_of(const Forms::Tail& tail) {
  std::vector<float> values(tail.q.size());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = tail.scales[i % tail.scales.size()] * static_cast<float>(tail.q[i]);
  }
  return values;
}

// A bound of ||V R^T||: what V reaches of R - U V for U = 0, and what an fp32 number holds of R.
double reverse_overlap(const Network& network, const Forms::Tail& tail) {
  const int64_t n = network.n();
  const std::vector<float> R = values_of(tail), zeros(static_cast<size_t>(n * tail.rank));
  const LowRankProof proof =
      low_rank_measure(network.context(), n, R.data(), n, tail.rank, zeros.data(), tail.rank, tail.V.data(), n);
  return proof.reverse_overlap + kUnit * frobenius_norm(tail.V) * frobenius_norm(R) * (1 + 0x1p-20);
}

// The integers of INT8, or of a tail with this V; without V no overlap is known.
Forms::Tail unpacked_tail(const Network& network, const Delta& packed, int64_t rank, std::vector<float> V) {
  const int64_t n = network.n();
  Forms::Tail tail{rank, std::vector<int8_t>(static_cast<size_t>(n * n)), std::vector<float>(static_cast<size_t>(n)),
                   std::move(V), 0};
  packed.unpack_integers(tail.q.data(), n, tail.scales.data());
  if (!tail.V.empty()) tail.reverse_overlap = reverse_overlap(network, tail);
  return tail;
}

// U_r^T B, r x n: rows of U^T multiplied with B.
std::vector<float> reached_by(const Network& network, const LayerFactors& factors, int64_t rank,
                              const std::vector<float>& B) {
  const int64_t n = network.n();
  std::vector<float> rows(static_cast<size_t>(rank * n)), reached(rows.size());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t r = 0; r < rank; ++r) rows[r * n + i] = factors.U[i * factors.rank + r];
  }
  DeltaOptions options = options_of(network, IDELTA_FORMAT_F32);
  options.identity_scale = 0;
  Delta(network.context(), n, B.data(), n, options)
      .forward({.m = rank, .x = rows.data(), .ldx = n, .y = reached.data(), .ldy = n});
  return reached;
}

}  // namespace

Forms::Tail tail_of(const Network& network, const std::vector<float>& D, const LayerFactors& factors, int64_t rank) {
  const int64_t n = network.n();
  const auto entries = static_cast<size_t>(n * n);
  std::vector<float> rest = D, product(entries);
  const LowRankProof unknown = IDELTA_LOW_RANK_PROOF_INIT;
  Delta::of_measured(network.context(), n, rank, factors.U.data(), factors.rank, factors.V.data(), n, unknown,
                     options_of(network, IDELTA_FORMAT_LOW_RANK))
      .unpack(product.data(), n);
  for (size_t i = 0; i < entries; ++i) rest[i] -= product[i];
  const Delta integers(network.context(), n, rest.data(), n, options_of(network, IDELTA_FORMAT_INT8));
  Forms::Tail tail = unpacked_tail(network, integers, rank, {});
  const std::vector<float> R = values_of(tail);
  for (size_t i = 0; i < entries; ++i) rest[i] = D[i] - R[i];
  tail.V = reached_by(network, factors, rank, rest);
  tail.reverse_overlap = reverse_overlap(network, tail);
  return tail;
}

std::unique_ptr<LayerFactors> factors_within(const Network& network, const std::vector<float>& D, double tolerance,
                                             idelta_tail kind, std::optional<Forms::Tail>& tail) {
  const int64_t n = network.n();
  DeltaOptions options = options_of(network, IDELTA_FORMAT_LOW_RANK);
  options.tolerance = tolerance;
  options.rank = std::max<int64_t>(1, largest_worthwhile_rank(n));
  options.tail = kind;
  try {
    const Delta packed(network.context(), n, D.data(), n, options);
    auto factors = std::make_unique<LayerFactors>(unpacked(packed, n));
    if (kind != IDELTA_TAIL_NONE) tail = unpacked_tail(network, packed, factors->rank, factors->V);
    return factors;
  } catch (const Error& error) {
    if (error.status() == IDELTA_TOLERANCE_NOT_MET) return nullptr;
    throw;
  }
}

LowRankProof prove(const Network& network, const std::vector<float>& D, const LayerFactors& factors, int64_t rank) {
  const int64_t n = network.n();
  return low_rank_measure(network.context(), n, D.data(), n, rank, factors.U.data(), factors.rank, factors.V.data(), n);
}

LowRankProof prove(const Network& network, const std::vector<float>& D, const LayerFactors& factors,
                   const Forms::Tail& tail) {
  const int64_t n = network.n();
  const Int8Tail integers = {tail.q.data(), n, tail.scales.data()};
  return low_rank_measure(network.context(), n, D.data(), n, tail.rank, factors.U.data(), factors.rank, tail.V.data(),
                          n, &integers);
}

}  // namespace idelta::nn
