// D = U V in the formats lr8, lr16, ...: by idelta's format LOW_RANK, and by BLAS alone: t = x U, then t V, each by
// SGEMM or, for one row, by GEMV. Forward lets the second product write y and one loop add x and bias and apply the
// activation; backward_data starts dx as dz, in the loop that makes dz, and SGEMM adds to it. Each is the faster of the
// two ways, by 1 to 7 % and by 1 to 4 % from 128 rows on (n 256 to 1024, r 32 and 64; 0.3.21, Cooperlake kernels, one
// thread). The transposed factors of backward_data are made once.
#include "bench/implementations/low_rank.h"

#include <cblas.h>

#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "bench/implementations/loops.h"

namespace idelta::bench {

namespace {

// Packing proves a certificate and takes 0.1 s at n = 1024, so that a pack serves all points of its width.
PackedFactors packed_for(const Problem& problem, int64_t rank, bool tail) {
  static std::map<std::tuple<idelta_isa, int, int64_t, int64_t, bool>, PackedFactors> all;
  PackedFactors& slot = all[{problem.isa, problem.threads, problem.n, rank, tail}];
  if (slot == nullptr) slot = pack(context_for(problem.isa, problem.threads), factors_for(problem.n, rank), tail);
  return slot;
}

// One row, first product: GEMV on r x n is up to 5 times as fast as SGEMM (r = 8, n = 2048), except at r of 32 and 64,
// where SGEMM's kernel for small matrices gains 5 to 20 % (n 512 to 3082). The second is GEMV's: as fast as SGEMM or up
// to twice and more at widths of a power of two.
bool takes_vector_call_first(int64_t m, int64_t rank) { return m == 1 && (rank < 32 || rank > 64); }

Buffer transpose_of(int64_t rows, int64_t columns, const Buffer& matrix) {
  Buffer transposed(rows * columns);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) transposed[j * rows + i] = matrix[i * columns + j];
  }
  return transposed;
}

Buffer copy_of(const Buffer& matrix) {
  Buffer copy;
  copy.copy_from(matrix);
  return copy;
}

}  // namespace

PackedFactors pack(const Context& context, const Factors& factors, bool tail) {
  const int64_t n = factors.n, rank = factors.rank;
  DeltaOptions options = kDeltaOptions;
  options.format = IDELTA_FORMAT_LOW_RANK;
  Delta made = Delta::of_factors(context, n, rank, factors.U.data(), rank, factors.V.data(), n, options);
  if (tail) {
    Buffer product(n * n);
    made.unpack(product.data(), n);
    options.rank = rank;
    options.tail = IDELTA_TAIL_INT8;
    made = Delta(context, n, product.data(), n, options);
  }
  auto packed = std::make_shared<const Delta>(std::move(made));
  if (packed->info().rank == rank) return packed;
  throw std::runtime_error(low_rank_name(rank, tail) + " was packed with rank " + std::to_string(packed->info().rank));
}

OpenblasLowRank::OpenblasLowRank(const Problem& problem, const Inputs& inputs, const Factors& factors)
    : Openblas(problem, inputs, false),
      rank_(factors.rank),
      first_by_vector_(takes_vector_call_first(problem.m, factors.rank)),
      t_(problem.m * factors.rank) {
  memory_.weights = Buffer();
  const int64_t n = problem.n;
  if (problem.pass.has("forward")) {
    first_ = first_by_vector_ ? transpose_of(n, rank_, factors.U) : copy_of(factors.U);
    second_ = copy_of(factors.V);
  } else {
    first_ = first_by_vector_ ? copy_of(factors.V) : transpose_of(rank_, n, factors.V);
    second_ = transpose_of(n, rank_, factors.U);
  }
}

// out = beta out + rows first second
void OpenblasLowRank::multiply(const float* rows, float beta, float* out) {
  const int m = int(problem_.m), n = int(problem_.n), r = int(rank_);
  if (first_by_vector_) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, r, n, 1.0f, first_.data(), n, rows, 1, 0.0f, t_.data(), 1);
  } else {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, r, n, 1.0f, rows, n, first_.data(), r, 0.0f, t_.data(),
                r);
  }
  if (m == 1) {
    cblas_sgemv(CblasRowMajor, CblasTrans, r, n, 1.0f, second_.data(), n, t_.data(), 1, beta, out, 1);
  } else {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, r, 1.0f, t_.data(), r, second_.data(), n, beta, out,
                n);
  }
}

void OpenblasLowRank::forward() {
  multiply(memory_.x.data(), 0.0f, memory_.y.data());
  loops::add_input_bias_hard_tanh(problem_.m, problem_.n, memory_.x.data(), memory_.bias.data(), memory_.y.data());
}

void OpenblasLowRank::backward_data() {
  loops::hard_tanh_gradient(problem_.m, problem_.n, memory_.dy.data(), memory_.y.data(), memory_.dz.data(),
                            memory_.dx.data());
  multiply(memory_.dz.data(), 1.0f, memory_.dx.data());
}

namespace {

// The second product adds to y = x + b.
class OpenblasBeta1LowRank : public OpenblasLowRank {
 public:
  using OpenblasLowRank::OpenblasLowRank;

 private:
  void forward() override {
    loops::add_bias(problem_.m, problem_.n, memory_.x.data(), memory_.bias.data(), memory_.y.data());
    multiply(memory_.x.data(), 1.0f, memory_.y.data());
    loops::hard_tanh(problem_.m, problem_.n, memory_.y.data());
  }
};

}  // namespace

ImplementationEntry idelta_low_rank_entry(int64_t rank, bool tail) {
  ImplementationEntry entry = idelta_entry();
  entry.format = low_rank_name(rank, tail);
  entry.make = [rank, tail](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<Idelta>(problem, inputs, packed_for(problem, rank, tail));
  };
  return entry;
}

ImplementationEntry openblas_low_rank_entry(int64_t rank) {
  ImplementationEntry entry = openblas_entry();
  entry.format = low_rank_name(rank);
  entry.make = [rank](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<OpenblasLowRank>(problem, inputs, factors_for(problem.n, rank));
  };
  return entry;
}

ImplementationEntry openblas_beta1_low_rank_entry(int64_t rank) {
  ImplementationEntry entry = openblas_low_rank_entry(rank);
  entry.name = "openblas_beta1";
  entry.make = [rank](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<OpenblasBeta1LowRank>(problem, inputs, factors_for(problem.n, rank));
  };
  return entry;
}

}  // namespace idelta::bench
