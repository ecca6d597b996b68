// A D without a model whose singular values fall as those of a trained layer do.
#pragma once

#include <cstdint>

#include "bench/problem.h"

namespace idelta::bench {

// n x n, pseudo-random from n alone. sigma_k is near 0.3 (1 + k / 8)^-1.8: 0.017 at k = 32, 0.006 at 64 and 0.002 at
// 128, as in the middle layers of a network trained on Fashion-MNIST (n = 794).
Buffer decaying_delta(int64_t n);

}  // namespace idelta::bench
