// See decaying.h.
#include "bench/decaying.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "bench/random.h"

namespace idelta::bench {

// Columns of random numbers are nearly orthogonal. Beyond 512 of them what is left out is 2e-4.
Buffer decaying_delta(int64_t n) {
  const int64_t rank = std::min<int64_t>(n, 512);
  Random random(static_cast<uint64_t>(n) * 7919u + 1u);
  const float unit = std::sqrt(3.0f / float(n));  // uniform numbers of this range give columns of norm 1
  Buffer left = random_buffer(random, n * rank, unit), right = random_buffer(random, rank * n, unit);
  for (int64_t k = 0; k < rank; ++k) {
    const auto sigma = float(0.3 * std::pow(1.0 + double(k) / 8.0, -1.8));
    for (int64_t j = 0; j < n; ++j) right[k * n + j] *= sigma;
  }
  Buffer delta(n * n);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, int(n), int(n), int(rank), 1.0f, left.data(), int(rank),
              right.data(), int(n), 0.0f, delta.data(), int(n));
  return delta;
}

}  // namespace idelta::bench
