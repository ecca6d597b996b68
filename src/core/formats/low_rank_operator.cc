#include "src/core/formats/low_rank_operator.h"

#include <cmath>

#include "src/core/formats/spectral.h"

namespace idelta::core {
namespace {

MatrixView first_of(const Factors& factors, bool transposed) {
  return transposed ? MatrixView{factors.V.data(), factors.n}.transpose() : MatrixView{factors.U.data(), factors.rank};
}

MatrixView second_of(const Factors& factors, bool transposed) {
  return transposed ? MatrixView{factors.U.data(), factors.rank}.transpose() : MatrixView{factors.V.data(), factors.n};
}

}  // namespace

LowRankOperator::LowRankOperator(const idelta_context& context, const Factors& factors, bool transposed,
                                 std::unique_ptr<const Int8Operator> tail)
    : Operator(factors.n, factors.n),
      first_(context, first_of(factors, transposed), factors.n, factors.rank),
      second_(context, second_of(factors, transposed), factors.rank, factors.n),
      transposed_(transposed),
      tail_(std::move(tail)) {}

// Rounded once where there is a tail.
std::vector<float> LowRankOperator::values(const idelta_context& context) const {
  std::vector<float> all = product_minus(context, nullptr);
  if (!tail_) return all;
  const std::vector<float> of_tail = tail_->values(context);
  for (size_t i = 0; i < all.size(); ++i) all[i] += of_tail[i];
  return all;
}

// By work: of a row both factors take as long as a few columns of the tail.
double LowRankOperator::zero_share() const {
  const double of_factors = (first_.zero_share() + second_.zero_share()) / 2;
  if (!tail_) return of_factors;
  const double head = 2 * static_cast<double>(rank()), tail = static_cast<double>(k()) / kIntegersFaster;
  return (head * of_factors + tail * tail_->zero_share()) / (head + tail);
}

// E = first second - (B - tail). first second is computed by chains of r + 1 terms. Their error: r + 1 roundings of
// partial products, u of the result for the term of B - tail, and 2^-126 an entry for each of r + 2 numbers that may
// underflow. B - tail is rounded once more, and so are the tail's values.
LowRankOperator::Rest LowRankOperator::rest(const idelta_context& context, const float* B, const Norms& norms) const {
  double of_tail = 0;
  std::vector<float> left;
  if (tail_ && B) {
    left = tail_->values(context);
    for (size_t i = 0; i < left.size(); ++i) left[i] = B[i] - left[i];
    of_tail = kUnit * frobenius(left) + tail_->rounding(context);
  }
  Rest rest{product_minus(context, left.empty() ? B : left.data()), 0, 0};
  const double steps = static_cast<double>(rank() + 2), entries = static_cast<double>(k() * cols());
  const auto& [of_first, of_second] = of_factors(norms);
  rest.norm = spectral_bound(context, k(), cols(), rest.computed);
  rest.error = 4 * kUnit * rest.norm + std::sqrt(entries) * steps * 0x1p-126 + of_tail +
               rounding_of_product(rank() + 2, {of_first, frobenius(first_.values(context))},
                                   {of_second, frobenius(second_.values(context))});
  return rest;
}

Norms LowRankOperator::norms(const idelta_context& context, const float* B) const {
  Norms norms = norms_of_factors(context);
  if (tail_) norms.tail = tail_->norm(context);
  return with_rest(context, norms, rest(context, B, norms));
}

idelta_low_rank_proof LowRankOperator::proof(const idelta_context& context, const float* D) const {
  const Norms of_both = norms_of_factors(context);
  const Rest E = rest(context, D, of_both);
  const Norms norms = with_rest(context, of_both, E);
  const int64_t n = k(), r = rank();
  const std::vector<float> columns_of_V = transposed(second_.values(context), r, n);
  const std::vector<float> columns_of_E = transposed(E.computed, n, n);
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
  proof.dropped = norms.stored;
  proof.departure = norms.departure;
  proof.overlap = norms.overlap;
  proof.reverse_overlap =
      overlap_bound(context, n, r, {columns_of_V, norms.second}, {columns_of_E, E.norm}) + norms.second * E.error;
  if (tail_) proof.tail = tail_->norm(context);
  return proof;
}

Norms LowRankOperator::norms_of_factors(const idelta_context& context) const {
  const double of_first = spectral_bound(context, k(), rank(), first_.values(context));
  const double of_second = spectral_bound(context, rank(), cols(), second_.values(context));
  return {.stored = 0, .values = transposed_ ? of_second : of_first, .second = transposed_ ? of_first : of_second};
}

Norms LowRankOperator::with_rest(const idelta_context& context, Norms norms, const Rest& E) const {
  norms.stored = E.norm + E.error;
  if (transposed_) return norms;
  const std::vector<float> U = first_.values(context);
  norms.departure = departure_from_orthonormal(k(), rank(), U);
  norms.overlap = overlap_bound(context, k(), rank(), {U, norms.values}, {E.computed, E.norm}) + norms.values * E.error;
  return norms;
}

// t^ = x U + e with |e| <= of_t |x|. The error of t^ V is e V and that of its sums, for a row t^ of at most (||U|| +
// of_t) |x|. The tail's sum is added to them in one rounding more.
ErrorTerms LowRankOperator::error(const idelta_context& context, const Norms& norms) const {
  const auto& [of_first, of_second] = of_factors(norms);
  const double of_t = first_.sums(context, of_first), of_y = sums_of_second(context, of_second);
  ErrorTerms terms = tail_ ? error_of_integers(k(), norms.tail) : ErrorTerms{};
  terms.stored = norms.stored;
  terms.sums += of_t * of_second + of_y * (of_first + of_t);
  return terms;
}

// Called for forward only: first is U.
RowBound LowRankOperator::row_bound(const idelta_context& context, const Norms& norms, float identity_scale) const {
  const auto& [of_first, of_second] = of_factors(norms);
  const FactorTerms U{of_first, frobenius(first_.values(context)), first_.sums(context, of_first)};
  const FactorTerms V{of_second, frobenius(second_.values(context)), sums_of_second(context, of_second)};
  RowBound bound = row_bound_of_factors(k(), rank(), norms, U, V, identity_scale);
  if (!tail_) return bound;
  const double of_tail = frobenius(tail_->values(context));
  add_tail(bound, k(), error_of_integers(k(), norms.tail), of_tail, U.frobenius * V.frobenius);
  return bound;
}

Factors LowRankOperator::factors(const idelta_context& context) const {
  const Factors stored{k(), rank(), first_.values(context), second_.values(context)};
  return transposed_ ? transposed(stored) : stored;
}

// first second - B, B dense or null.
std::vector<float> LowRankOperator::product_minus(const idelta_context& context, const float* B) const {
  const std::vector<float> rows = first_.values(context), zeros(static_cast<size_t>(cols()));
  std::vector<float> out(static_cast<size_t>(k() * cols()));
  Multiplication call{
      .m = k(), .rows = {.src = rows.data(), .ld = rank()}, .epilogue = sums_alone(zeros.data(), out.data(), cols())};
  if (B) {
    call.epilogue.residual = B;
    call.epilogue.ld_residual = cols();
    call.epilogue.identity_scale = -1;
  }
  second_.multiply(context, call);
  return out;
}

}  // namespace idelta::core
