#include "src/core/formats/low_rank.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/core/base/error.h"
#include "src/core/formats/chain_product.h"
#include "src/core/formats/low_rank_operator.h"
#include "src/core/formats/panel_operator.h"
#include "src/core/formats/spectral.h"

namespace idelta::core {
namespace {

using Tail = std::unique_ptr<const Int8Operator>;

// The requested directions, not yet measured.
Packed packed_of(const idelta_context& context, const Factors& factors, idelta_passes passes, Tail forward = nullptr,
                 Tail backward = nullptr) {
  Packed packed;
  if (passes & IDELTA_PASS_FORWARD) {
    packed.forward = std::make_unique<LowRankOperator>(context, factors, false, std::move(forward));
  }
  if (passes & IDELTA_PASS_BACKWARD_DATA) {
    packed.backward = std::make_unique<LowRankOperator>(context, factors, true, std::move(backward));
  }
  return packed;
}

// A singular value may be n times as large as the largest entry.
Factors checked_for_range(Factors factors) {
  if (std::all_of(factors.V.begin(), factors.V.end(), [](float v) { return std::isfinite(v); })) return factors;
  throw Failure(IDELTA_INVALID_ARGUMENT,
                "D has singular values beyond the range of fp32, which the factors of format low_rank cannot hold; "
                "scale it down, or pack it as f32");
}

Packed packed_and_measured(const idelta_context& context, Factors found, const std::vector<float>& D,
                           idelta_passes passes) {
  const Factors factors = checked_for_range(std::move(found));
  Packed packed = packed_of(context, factors, passes);
  measure(context, packed, factors.n, {D.data(), factors.n});
  return packed;
}

Tail tail_of(const idelta_context& context, int64_t n, const MatrixView& R) {
  return std::make_unique<const Int8Operator>(context, R, n, n);
}

Tail given_tail(const idelta_context& context, int64_t n, const std::optional<TailIntegers>& tail) {
  if (!tail) return nullptr;
  const std::vector<float> values = tail->values(n);
  return std::make_unique<const Int8Operator>(context, MatrixView{values.data(), n}, n, n, tail->scales);
}

std::vector<float> minus(std::vector<float> A, const std::vector<float>& B) {
  for (size_t i = 0; i < A.size(); ++i) A[i] -= B[i];
  return A;
}

// D - U V.
std::vector<float> rest_of(const idelta_context& context, const Factors& factors, const std::vector<float>& D) {
  const auto& [n, rank, U, V] = factors;
  std::vector<float> product(D.size());
  dense_product(context, {n, rank, n}, U.data(), {V.data(), n}, product.data());
  return minus(D, product);
}

// Of the first `rank` columns of the subspace. With a tail R~ of what they leave, V is made anew of D - R~: then U
// reaches nothing of D - U V - R~, which keeps the row bound's overlap tiny. backward_data has a tail of its own.
Packed pack_with(const idelta_context& context, int64_t n, const std::vector<float>& D, const Subspace& subspace,
                 int64_t rank, const PackOptions& options) {
  Factors factors = factors_of(context, n, D, subspace, rank);
  if (options.tail == IDELTA_TAIL_NONE) return packed_and_measured(context, std::move(factors), D, options.passes);
  const std::vector<float> rest = rest_of(context, checked_for_range(std::move(factors)), D);
  Tail forward = tail_of(context, n, {rest.data(), n});
  factors = checked_for_range(factors_of(context, n, minus(D, forward->values(context)), subspace, rank));
  Tail backward;
  if (options.passes & IDELTA_PASS_BACKWARD_DATA) {
    const std::vector<float> own_rest = rest_of(context, factors, D);
    backward = tail_of(context, n, MatrixView{own_rest.data(), n}.transpose());
  }
  Packed packed = packed_of(context, factors, options.passes, std::move(forward), std::move(backward));
  measure(context, packed, n, {D.data(), n});
  return packed;
}

// More singular values than wanted are computed, so that the wanted ones are accurate.
constexpr int64_t kSpare = 16;

Packed pack_by_rank(const idelta_context& context, int64_t n, const std::vector<float>& D, const PackOptions& options) {
  const Subspace subspace = options.rank == 0 ? Subspace{Thin(n, 0), {}}
                                              : leading_subspace(context, n, D, std::min(n, options.rank + kSpare));
  return pack_with(context, n, D, subspace, std::min(options.rank, subspace.numerical_rank()), options);
}

// Whether no rank up to `most` can drop as little as `limit`: even the best leaves too large squares to the other
// n - most directions.
bool out_of_reach(const Subspace& subspace, double squares, int64_t most, double limit) {
  const auto found = static_cast<int64_t>(subspace.sigma.size());
  for (const double s : subspace.sigma) squares -= s * s;
  if (found < most) squares -= static_cast<double>(most - found) * subspace.sigma.back() * subspace.sigma.back();
  return squares > static_cast<double>(subspace.U.rows - most) * limit * limit;
}

// The tolerance minus the roundings at this rank. If it is negative, no larger rank can meet the tolerance.
double left_by_roundings(const idelta_context& context, const Factors& factors, const PackOptions& options) {
  Packed packed = packed_of(context, factors, options.passes);
  packed.norms = static_cast<const LowRankOperator&>(packed.any()).norms_of_factors(context);
  return options.tolerance - largest_certificate(context, packed, options.identity_scale);
}

// How much of sample rows of norm 1 lies outside the first directions of a subspace; without a sample all of them.
class Outside {
 public:
  explicit Outside(const Sample* sample) : sample_(sample), squares_(sample ? sample->norms.size() : 1, 1.0) {}

  double largest() const { return std::sqrt(*std::max_element(squares_.begin(), squares_.end())); }
  void take(const Thin& U, int64_t direction) {
    for (int64_t i = 0; sample_ && i < sample_->rows; ++i) {
      const double norm = sample_->norms[static_cast<size_t>(i)];
      const float* const x = sample_->x.data() + i * sample_->n;
      const double inside =
          sum_of(sample_->n, [&](int64_t k) { return static_cast<double>(x[k]) * U.row(k)[direction]; });
      double& squares = squares_[static_cast<size_t>(i)];
      squares = norm > 0 ? std::max(0.0, squares - std::pow(inside / norm, 2)) : 0;
    }
  }

 private:
  const Sample* sample_;
  std::vector<double> squares_;
};

// The largest singular value that a rank within the tolerance may leave. A tail holds the rest but for its own error;
// of that the rounding of x counts as in error_of_integers(), for sample rows by the root of mean squares.
double largest_left(int64_t n, const PackOptions& options) {
  if (options.tail == IDELTA_TAIL_NONE) return options.tolerance;
  const double root = std::sqrt(static_cast<double>(n));
  if (!options.sample) return options.tolerance * 254 / root;
  return options.tolerance * 254 / root * std::sqrt(3.0) / options.sample->largest_peak;
}

// The least rank that seems enough, by what the next singular value says of a row; usable + 1 if more seem needed.
int64_t estimated_rank(const Subspace& subspace, int64_t usable, double limit, const PackOptions& options) {
  constexpr double kMargin = 0.97;  // the norm's bound and roundings take the rest of the tolerance
  Outside outside(options.tail == IDELTA_TAIL_NONE ? options.sample : nullptr);
  for (int64_t rank = 0; rank <= usable; ++rank) {
    if (rank == static_cast<int64_t>(subspace.sigma.size())) return rank;
    if (subspace.sigma[static_cast<size_t>(rank)] * outside.largest() <= kMargin * limit) return rank;
    outside.take(subspace.U, rank);
  }
  return usable + 1;
}

// The least rank whose error is within the tolerance, or the best one tried. A rank beyond n / 2 costs more than dense
// F32 and is tried only if it is asked for.
Packed pack_by_tolerance(const idelta_context& context, int64_t n, const std::vector<float>& D,
                         const PackOptions& options) {
  const int64_t most = options.rank > 0 ? std::min(options.rank, n) : (n + 1) / 2;
  const double squares = std::pow(frobenius(D), 2), limit = largest_left(n, options);
  Subspaces own;
  Subspaces& subspaces = options.subspaces ? *options.subspaces : own;
  for (int64_t count = std::min<int64_t>(n, 64);; count = std::min({n, 2 * count, most + kSpare})) {
    const Subspace& subspace = subspaces.leading(context, n, D, count);
    const auto found = static_cast<int64_t>(subspace.sigma.size());
    const bool all = found < count || count == n;
    const int64_t usable = std::min(most, all ? found : found - kSpare);
    const auto hopeless = [&] {
      return out_of_reach(subspace, squares, most, limit) ||
             left_by_roundings(context, factors_of(context, n, D, subspace, usable), options) < 0;
    };
    const bool last = all || usable == most || (!options.sample && hopeless());
    for (int64_t rank = estimated_rank(subspace, usable, limit, options); rank <= usable || last;
         rank += 1 + rank / 16) {
      rank = std::min(rank, usable);
      Packed packed = pack_with(context, n, D, subspace, rank, options);
      const double error = packed_error(context, packed, options);
      if (error <= options.tolerance || (last && rank == usable)) return packed;
      if (rank == usable) break;
    }
  }
}

double norm(const double* values, int64_t count) {
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) squares += values[i] * values[i];
  return std::sqrt(squares);
}

Packed pack_low_rank(const idelta_context& context, int64_t n, const MatrixView& view, const PackOptions& options) {
  check_finite("D", {view.data, view.ld}, n, n, kNeedsFinite);
  if (options.tail != IDELTA_TAIL_NONE) check_integers(n);
  const std::vector<float> D = dense(view, n, n);
  return options.tolerance > 0 ? pack_by_tolerance(context, n, D, options) : pack_by_rank(context, n, D, options);
}

}  // namespace

// D = U V is computed by chains in fp64 and rounded once. A chain of r terms errs by at most r 2^-53 |U| |V|. Its norm
// is bounded by columns of U and rows of V, because their sizes may differ widely.
Packed pack_factors(const idelta_context& context, const Factors& given, idelta_passes passes) {
  const Thin U(given.n, given.rank, given.U), V(given.rank, given.n, given.V), columns = U.transpose();
  const std::vector<float> D = multiply(U, V).rounded();
  check_finite("U V", {D.data(), given.n}, given.n, given.n, kNeedsFinite);
  Packed packed = packed_and_measured(context, orthonormal_factors(given), D, passes);
  double terms = 0;
  for (int64_t j = 0; j < given.rank; ++j) terms += norm(columns.row(j), given.n) * norm(V.row(j), given.n);
  const double of_D = kUnit * frobenius(D) * (1 + 0x1p-20) + 0x1p-52 * static_cast<double>(given.rank) * terms;
  packed.norms->stored += of_D;
  packed.norms->overlap += of_D * packed.norms->values;
  return packed;
}

std::vector<float> TailIntegers::values(int64_t n) const {
  std::vector<float> all(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) all[static_cast<size_t>(i * n + j)] = scales[j] * static_cast<float>(q[i * ld + j]);
  }
  return all;
}

idelta_low_rank_proof measured_against(const idelta_context& context, const Factors& factors,
                                       const std::optional<TailIntegers>& tail, const std::vector<float>& D) {
  const LowRankOperator op(context, factors, false, given_tail(context, factors.n, tail));
  return op.proof(context, D.data());
}

// The proof is the forward direction's. The tail of backward_data is rounded from the given one, which adds to what is
// dropped.
Packed pack_measured(const idelta_context& context, const Factors& factors, const std::optional<TailIntegers>& tail,
                     const idelta_low_rank_proof& proof, idelta_passes passes) {
  Tail forward = given_tail(context, factors.n, tail), backward;
  std::optional<Norms> own;
  if (tail && passes & IDELTA_PASS_BACKWARD_DATA) {
    const std::vector<float> values = transposed(forward->values(context), factors.n, factors.n);
    backward = tail_of(context, factors.n, {values.data(), factors.n});
    own = backward->norms(context, values.data());
    own->stored += forward->rounding(context);
  }
  Packed packed = packed_of(context, factors, passes, std::move(forward), std::move(backward));
  Norms norms = static_cast<const LowRankOperator&>(packed.any()).norms_of_factors(context);
  norms.stored = proof.dropped;
  norms.departure = proof.departure;
  norms.overlap = proof.overlap;
  norms.tail = proof.tail;
  packed.norms = norms;
  if (!own) return packed;
  norms.stored += own->stored;
  norms.tail = own->values;
  (packed.forward ? packed.norms_of_backward : packed.norms) = norms;
  return packed;
}

std::optional<Factors> factors_in(const idelta_context& context, const Packed& packed) {
  const auto* const op = dynamic_cast<const LowRankOperator*>(&packed.any());
  return op ? std::optional(op->factors(context)) : std::nullopt;
}

const Int8Operator* integers_in(const Packed& packed) {
  const Operator* const forward = packed.forward.get();
  if (const auto* const op = dynamic_cast<const LowRankOperator*>(forward)) return op->tail();
  return dynamic_cast<const Int8Operator*>(forward);
}

const Format kLowRank = {
    .id = IDELTA_FORMAT_LOW_RANK,
    .name = "low_rank",
    .runs = [](const idelta_context&) { return true; },
    .ranked = true,
    .gradient_planes = -1,
    .pack = pack_low_rank,
    .steps =
        [](const idelta_context& context, const ProductSize& size, int64_t rank, idelta_tail tail) {
          return low_rank_steps(context, {size.k, rank, tail != IDELTA_TAIL_NONE}, size.m);
        }};

}  // namespace idelta::core
