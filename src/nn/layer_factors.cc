#include "layer_factors.h"

#include <algorithm>
#include <cmath>

namespace idelta::nn {
namespace {

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

std::unique_ptr<LayerFactors> factors_within(const Network& network, const std::vector<float>& D, double tolerance) {
  const int64_t n = network.n();
  DeltaOptions options = options_of(network, IDELTA_FORMAT_LOW_RANK);
  options.tolerance = tolerance;
  options.rank = std::max<int64_t>(1, largest_worthwhile_rank(n));
  try {
    return std::make_unique<LayerFactors>(unpacked(Delta(network.context(), n, D.data(), n, options), n));
  } catch (const Error& error) {
    if (error.status() == IDELTA_TOLERANCE_NOT_MET) return nullptr;
    throw;
  }
}

int64_t rank_above(const LayerFactors& factors, int64_t n, double sigma) {
  const auto kept = std::count_if(factors.sigma.begin(), factors.sigma.end(), [&](double s) { return s > sigma; });
  const int64_t rank = std::min(factors.rank, std::max<int64_t>(kLeastRank, kept));
  const bool more_are_left = kept == factors.rank && !factors.complete;
  return more_are_left || rank > largest_worthwhile_rank(n) ? kDense : rank;
}

LowRankProof prove(const Network& network, const std::vector<float>& D, const LayerFactors& factors, int64_t rank) {
  const int64_t n = network.n();
  return low_rank_measure(network.context(), n, D.data(), n, rank, factors.U.data(), factors.rank, factors.V.data(), n);
}

}  // namespace idelta::nn
