#include "src/core/formats/low_rank.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/core/base/error.h"
#include "src/core/formats/chain_product.h"
#include "src/core/formats/f32.h"
#include "src/core/formats/list.h"
#include "src/core/formats/spectral.h"

namespace idelta::core {
namespace {

// A task takes a block of rows at a time: t = rows U (block x r) stays in its cache for y = act(a x + t V + b). Work is
// cut by rows only: few rows take only microseconds.
struct Plan : RowsPlan {
  int64_t second_kc;
  int64_t sums;  // floats of `partial` before t
  int64_t ldt;

  int64_t t_floats() const { return rows * ldt; }
};

Plan plan_for(const idelta_context& context, int64_t m, int64_t n, int64_t rank) {
  const ChainKernel& kernel = context.kernels.f32_forward;
  const TileShape tile{kernel.mr, kernel.nr};
  const double multiply_adds = 2 * ProductSize{m, n, rank}.multiply_adds();
  Plan plan{cut_rows(context, kernel, {m, n, /*one panel*/ 1}, {.multiply_adds = multiply_adds, .rows = m})};
  const auto row_bytes = 2 * n * static_cast<int64_t>(sizeof(float));  // of x and y
  plan.rows = even_block(plan.partition.most_rows(), row_bytes, context.caches.l2 / 2, tile.mr);
  plan.kc = std::max<int64_t>(forward_blocks(context.caches, tile, 1, n).kc, 1);
  plan.prepared = plan.rows * copy_stride(n);
  plan.second_kc = std::max<int64_t>(forward_blocks(context.caches, tile, 1, rank).kc, 1);
  plan.ldt = copy_stride(rank);
  if (plan.kc < n) plan.sums = plan.rows * round_up(rank, tile.nr);
  if (plan.second_kc < rank) plan.sums = std::max(plan.sums, plan.rows * round_up(n, tile.nr));
  plan.sums = round_up(plan.sums, kLine);
  plan.partial = plan.sums + plan.t_floats() + round_up(rank, kLine);
  return plan;
}

// See multiply_rows().
struct LowRankProduct {
  const idelta_context& context;
  const Panels &first, &second;
  const Plan& plan;
  const Multiplication& call;

  // The first half prefetches the rows that the second will write, and the second the next rows of x: forward of m =
  // 4096, n = 794, rank 32 is 1.28 times as fast (Zen 4, 2026-11). Row errors are computed between the halves: they
  // need t, and x, which y may overwrite.
  void multiply(const RowBlock& block, Range /*all of second*/, float* partial) const {
    const int64_t m = block.rows.size(), n = first.k(), rank = first.cols();
    float* const t = partial + plan.sums;
    float* const zeros = t + plan.t_floats();
    std::fill_n(zeros, rank, 0.0f);
    const bool far = call.m * n * static_cast<int64_t>(sizeof(float)) > context.caches.l2;

    RowBlock into_t = block;
    into_t.epilogue = sums_alone(zeros, t, plan.ldt);
    into_t.start = {};
    const ChainTiles to_t{context, context.kernels.f32_forward, first, plan.kc};
    to_t.multiply(
        into_t, {0, first.count()}, partial,
        far ? FetchAhead(block.epilogue.y, block.epilogue.ldy, m, n, to_t.tiles(m, first.count())) : FetchAhead());

    if (call.errors.wanted()) {
      call.errors.write(context.kernels, block.rows, block.at, block.ld, n, t, plan.ldt, rank);
    }

    RowBlock from_t = block;
    from_t.at = t, from_t.ld = plan.ldt;
    const ChainTiles to_y{context, context.kernels.f32_forward, second, plan.second_kc};
    to_y.multiply(from_t, {0, second.count()}, partial,
                  far ? FetchAhead(call.rows.src + block.next.begin * call.rows.ld, call.rows.ld, block.next.size(), n,
                                   to_y.tiles(m, second.count()))
                      : FetchAhead());
  }
};

// D or D^T as first (n x r) times second (r x n): U V, or V^T U^T.
class LowRankOperator final : public Operator {
 public:
  LowRankOperator(const idelta_context& context, const MatrixView& first, const MatrixView& second, int64_t n,
                  int64_t rank, bool transposed)
      : Operator(n, n), first_(context, first, n, rank), second_(context, second, rank, n), transposed_(transposed) {}

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override {
    return static_cast<size_t>(plan_for(context, m, k(), rank()).floats()) * sizeof(float);
  }

  // y may be x: all of a block's t is computed before any y, and the residual is read just before y is written.
  void multiply(const idelta_context& context, Multiplication& call) const override {
    const Plan plan = plan_for(context, call.m, k(), rank());
    const CallRows rows(context, call, k(), cols(), context.kernels.f32_forward.nr,
                        {.colliding = true, .own_errors = false});
    multiply_rows(context, LowRankProduct{context, first_.panels(), second_.panels(), plan, call}, plan, rows, call,
                  k());
  }

  std::vector<float> values(const idelta_context& context) const override { return product_minus(context, nullptr); }
  size_t bytes() const override { return first_.bytes() + second_.bytes(); }
  double zero_share() const override { return (first_.zero_share() + second_.zero_share()) / 2; }
  int64_t rank() const override { return first_.cols(); }

  // E = first second - B. It is computed by chains of r + 1 terms. Their error: r + 1 roundings of partial products, u
  // of the result for B's term, and 2^-126 an entry for each of r + 2 numbers that may underflow.
  struct Rest {
    std::vector<float> computed;
    double norm, error;  // norm of `computed`, and of its difference from E
  };
  Rest rest(const idelta_context& context, const float* B, const Norms& norms) const {
    Rest rest{product_minus(context, B), 0, 0};
    const double steps = static_cast<double>(rank() + 2), entries = static_cast<double>(k() * cols());
    const auto& [of_first, of_second] = of_factors(norms);
    rest.norm = spectral_bound(context, k(), cols(), rest.computed);
    rest.error = 4 * kUnit * rest.norm + std::sqrt(entries) * steps * 0x1p-126 +
                 rounding_of_product(rank() + 2, {of_first, frobenius(first_.values(context))},
                                     {of_second, frobenius(second_.values(context))});
    return rest;
  }

  Norms norms(const idelta_context& context, const float* B) const override {
    const Norms norms = norms_of_factors(context);
    return with_rest(context, norms, rest(context, B, norms));
  }
  // For the forward direction: the norms as a proof that callers can store, with V's overlap.
  idelta_low_rank_proof proof(const idelta_context& context, const float* D) const {
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
    return proof;
  }
  // The norms as if nothing were dropped.
  Norms norms_of_factors(const idelta_context& context) const {
    const double of_first = spectral_bound(context, k(), rank(), first_.values(context));
    const double of_second = spectral_bound(context, rank(), cols(), second_.values(context));
    return {.stored = 0, .values = transposed_ ? of_second : of_first, .second = transposed_ ? of_first : of_second};
  }
  // t^ = x U + e with |e| <= of_t |x|. The error of t^ V is e V and that of its sums, for a row t^ of at most
  // (||U|| + of_t) |x|.
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override {
    const auto& [of_first, of_second] = of_factors(norms);
    const double of_t = first_.sums(context, of_first), of_y = second_.sums(context, of_second);
    return {.stored = norms.stored, .sums = of_t * of_second + of_y * (of_first + of_t)};
  }

  // Called for forward only: first is U.
  RowBound row_bound(const idelta_context& context, const Norms& norms, float identity_scale) const override {
    const auto terms = [&](const F32Operator& factor, double norm) {
      return FactorTerms{norm, frobenius(factor.values(context)), factor.sums(context, norm)};
    };
    const auto& [of_first, of_second] = of_factors(norms);
    return row_bound_of_factors(k(), rank(), norms, terms(first_, of_first), terms(second_, of_second), identity_scale);
  }

  // U and V as they are multiplied.
  Factors factors(const idelta_context& context) const {
    const Factors stored{k(), rank(), first_.values(context), second_.values(context)};
    return transposed_ ? transposed(stored) : stored;
  }

 private:
  Norms with_rest(const idelta_context& context, Norms norms, const Rest& E) const {
    norms.stored = E.norm + E.error;
    if (transposed_) return norms;
    const std::vector<float> U = first_.values(context);
    norms.departure = departure_from_orthonormal(k(), rank(), U);
    norms.overlap =
        overlap_bound(context, k(), rank(), {U, norms.values}, {E.computed, E.norm}) + norms.values * E.error;
    return norms;
  }

  std::pair<double, double> of_factors(const Norms& norms) const {
    return transposed_ ? std::pair{norms.second, norms.values} : std::pair{norms.values, norms.second};
  }

  // first second - B, B dense or null.
  std::vector<float> product_minus(const idelta_context& context, const float* B) const {
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

  F32Operator first_, second_;
  bool transposed_;
};

// The requested directions, not yet measured.
Packed packed_of(const idelta_context& context, const Factors& factors, idelta_passes passes) {
  const MatrixView U{factors.U.data(), factors.rank}, V{factors.V.data(), factors.n};
  const int64_t n = factors.n, r = factors.rank;
  Packed packed;
  if (passes & IDELTA_PASS_FORWARD) packed.forward = std::make_unique<LowRankOperator>(context, U, V, n, r, false);
  if (passes & IDELTA_PASS_BACKWARD_DATA) {
    packed.backward = std::make_unique<LowRankOperator>(context, V.transpose(), U.transpose(), n, r, true);
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
  packed.norms = measured(context, packed, factors.n, {D.data(), factors.n});
  return packed;
}

// More singular values than wanted are computed, so that the wanted ones are accurate.
constexpr int64_t kSpare = 16;

Packed pack_by_rank(const idelta_context& context, int64_t n, const std::vector<float>& D, const PackOptions& options) {
  const Subspace subspace = leading_subspace(context, n, D, std::min(n, options.rank + kSpare));
  const int64_t rank = std::min(options.rank, subspace.numerical_rank());
  return packed_and_measured(context, factors_of(context, n, D, subspace, rank), D, options.passes);
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

// The least rank that seems enough, by what the next singular value says of a row; usable + 1 if more seem needed.
int64_t estimated_rank(const Subspace& subspace, int64_t usable, const PackOptions& options) {
  constexpr double kMargin = 0.97;  // the norm's bound and roundings take the rest of the tolerance
  Outside outside(options.sample);
  for (int64_t rank = 0; rank <= usable; ++rank) {
    if (rank == static_cast<int64_t>(subspace.sigma.size())) return rank;
    if (subspace.sigma[static_cast<size_t>(rank)] * outside.largest() <= kMargin * options.tolerance) return rank;
    outside.take(subspace.U, rank);
  }
  return usable + 1;
}

// The least rank whose error is within the tolerance, or the best one tried. A rank beyond n / 2 costs more than dense
// F32 and is tried only if it is asked for.
Packed pack_by_tolerance(const idelta_context& context, int64_t n, const std::vector<float>& D,
                         const PackOptions& options) {
  const int64_t most = options.rank > 0 ? std::min(options.rank, n) : (n + 1) / 2;
  const double squares = std::pow(frobenius(D), 2);
  for (int64_t count = std::min<int64_t>(n, 64);; count = std::min({n, 2 * count, most + kSpare})) {
    const Subspace subspace = leading_subspace(context, n, D, count);
    const auto found = static_cast<int64_t>(subspace.sigma.size());
    const bool all = found < count || count == n;
    const int64_t usable = std::min(most, all ? found : found - kSpare);
    const auto hopeless = [&] {
      return out_of_reach(subspace, squares, most, options.tolerance) ||
             left_by_roundings(context, factors_of(context, n, D, subspace, usable), options) < 0;
    };
    const bool last = all || usable == most || (!options.sample && hopeless());
    for (int64_t rank = estimated_rank(subspace, usable, options); rank <= usable || last; rank += 1 + rank / 16) {
      rank = std::min(rank, usable);
      Packed packed = packed_and_measured(context, factors_of(context, n, D, subspace, rank), D, options.passes);
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
  const std::vector<float> D = dense(view, n, n);
  return options.tolerance > 0 ? pack_by_tolerance(context, n, D, options) : pack_by_rank(context, n, D, options);
}

}  // namespace

// D = U V is computed by chains in fp64 and rounded once. A chain of r terms errs by at most r 2^-53 |U| |V|. Its norm
// is bounded by columns of U and rows of V, because their sizes may differ widely.
Packed pack_factors(const idelta_context& context, const Factors& given, const PackOptions& options) {
  const Thin U(given.n, given.rank, given.U), V(given.rank, given.n, given.V), columns = U.transpose();
  const std::vector<float> D = multiply(U, V).rounded();
  check_finite("U V", {D.data(), given.n}, given.n, given.n, kNeedsFinite);
  Packed packed = packed_and_measured(context, orthonormal_factors(given), D, options.passes);
  double terms = 0;
  for (int64_t j = 0; j < given.rank; ++j) terms += norm(columns.row(j), given.n) * norm(V.row(j), given.n);
  const double of_D = kUnit * frobenius(D) * (1 + 0x1p-20) + 0x1p-52 * static_cast<double>(given.rank) * terms;
  packed.norms->stored += of_D;
  packed.norms->overlap += of_D * packed.norms->values;
  return packed;
}

idelta_low_rank_proof measured_against(const idelta_context& context, const Factors& factors,
                                       const std::vector<float>& D) {
  const Packed packed = packed_of(context, factors, IDELTA_PASS_FORWARD);
  return static_cast<const LowRankOperator&>(*packed.forward).proof(context, D.data());
}

Packed pack_measured(const idelta_context& context, const Factors& factors, const idelta_low_rank_proof& proof,
                     idelta_passes passes) {
  Packed packed = packed_of(context, factors, passes);
  packed.norms = static_cast<const LowRankOperator&>(packed.any()).norms_of_factors(context);
  packed.norms->stored = proof.dropped;
  packed.norms->departure = proof.departure;
  packed.norms->overlap = proof.overlap;
  return packed;
}

std::optional<Factors> factors_in(const idelta_context& context, const Packed& packed) {
  const auto* const op = dynamic_cast<const LowRankOperator*>(&packed.any());
  return op ? std::optional(op->factors(context)) : std::nullopt;
}

// t = x U has no epilogue. Tiles of up to half a panel's columns take half the time.
double steps_of(const idelta_context& context, const ProductSize& size, int64_t rank) {
  const ChainKernel& kernel = context.kernels.f32_forward;
  const Plan plan = plan_for(context, size.m, size.k, rank);
  const auto halves = static_cast<double>(ceil_div(2 * rank, kernel.nr));
  const auto panels = static_cast<double>(std::max<int64_t>(ceil_div(rank, kernel.nr), 1));
  const TaskShape to_t =
      largest_task(context, kernel, {size.m, size.k, rank}, plan, {.word_steps = halves / (2 * panels)});
  const TaskShape to_y =
      largest_task(context, kernel, {size.m, rank, size.cols}, plan, {.row_steps = kCostModel.epilogue_steps});
  return call_steps(plan, task_steps(kCostModel, to_t) + task_steps(kCostModel, to_y)) +
         kCostModel.second_product_steps;
}

const Format kLowRank = {.id = IDELTA_FORMAT_LOW_RANK,
                         .name = "low_rank",
                         .runs = [](const idelta_context&) { return true; },
                         .ranked = true,
                         .gradient_planes = -1,
                         .pack = pack_low_rank,
                         .steps = steps_of};

}  // namespace idelta::core
