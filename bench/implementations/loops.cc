// See loops.h. Each loop is a serial function over a range, cloned for each ISA, and a driver that shares out ranges.
#include "bench/implementations/loops.h"

#include <algorithm>

#include "bench/clones.h"

namespace idelta::bench::loops {

// Waking a thread takes 5 to 10 microseconds; one core handles 32 Ki floats in about that time.
constexpr int64_t kSerialElements = 1 << 15;
// Elements a task: whole rows of about this much. 16 KiB a task evens out threads without costing calls.
constexpr int64_t kTaskElements = 1 << 12;

IDELTA_BENCH_CLONES void add_bias_hard_tanh_rows(int64_t rows, int64_t n, const float* __restrict bias,
                                                 float* __restrict y) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const float z = y[i * n + j] + bias[j];
      const float low = z < -1.0f ? -1.0f : z;
      y[i * n + j] = low > 1.0f ? 1.0f : low;
    }
  }
}

IDELTA_BENCH_CLONES void add_input_bias_hard_tanh_rows(int64_t rows, int64_t n, const float* __restrict x,
                                                       const float* __restrict bias, float* __restrict y) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const float z = y[i * n + j] + x[i * n + j] + bias[j];
      const float low = z < -1.0f ? -1.0f : z;
      y[i * n + j] = low > 1.0f ? 1.0f : low;
    }
  }
}

IDELTA_BENCH_CLONES void hard_tanh_range(int64_t count, float* __restrict y) {
  for (int64_t i = 0; i < count; ++i) {
    const float low = y[i] < -1.0f ? -1.0f : y[i];
    y[i] = low > 1.0f ? 1.0f : low;
  }
}

IDELTA_BENCH_CLONES void add_bias_rows(int64_t rows, int64_t n, const float* __restrict x, const float* __restrict bias,
                                       float* __restrict y) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) y[i * n + j] = x[i * n + j] + bias[j];
  }
}

IDELTA_BENCH_CLONES void add_bias_leaky_relu_rows(int64_t rows, int64_t n, const float* __restrict bias, float slope,
                                                  float* __restrict y) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const float z = y[i * n + j] + bias[j];
      y[i * n + j] = z > 0.0f ? z : slope * z;
    }
  }
}

IDELTA_BENCH_CLONES void leaky_relu_range(int64_t count, float slope, float* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] > 0.0f ? y[i] : slope * y[i];
}

// & and not &&: a branch would keep the loop from being vectorised.
static inline __attribute__((always_inline)) bool inside(float y) { return (y > -1.0f) & (y < 1.0f); }

IDELTA_BENCH_CLONES void gradient_range(int64_t count, const float* __restrict dy, const float* __restrict y,
                                        float* __restrict dz) {
  for (int64_t i = 0; i < count; ++i) dz[i] = inside(y[i]) ? dy[i] : 0.0f;
}

IDELTA_BENCH_CLONES void gradient_copy_range(int64_t count, const float* __restrict dy, const float* __restrict y,
                                             float* __restrict dz, float* __restrict copy) {
  for (int64_t i = 0; i < count; ++i) {
    const float value = inside(y[i]) ? dy[i] : 0.0f;
    dz[i] = value;
    copy[i] = value;
  }
}

// Four rows at a time, so that the sums are loaded and stored a quarter as often as dz is read.
IDELTA_BENCH_CLONES void column_sums_range(int64_t m, int64_t n, int64_t columns, const float* __restrict dz,
                                           float beta, float* __restrict sums) {
  if (beta == 0.0f) {
    for (int64_t j = 0; j < columns; ++j) sums[j] = 0.0f;
  } else {
    for (int64_t j = 0; j < columns; ++j) sums[j] *= beta;
  }
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) {
    const float* __restrict r = dz + i * n;
    for (int64_t j = 0; j < columns; ++j) sums[j] += (r[j] + r[n + j]) + (r[2 * n + j] + r[3 * n + j]);
  }
  for (; i < m; ++i) {
    for (int64_t j = 0; j < columns; ++j) sums[j] += dz[i * n + j];
  }
}

IDELTA_BENCH_CLONES void step_range(int64_t count, float learning_rate, const float* __restrict v,
                                    float* __restrict w) {
  for (int64_t i = 0; i < count; ++i) w[i] -= learning_rate * v[i];
}

IDELTA_BENCH_CLONES void momentum_step_range(int64_t count, float momentum, float learning_rate,
                                             const float* __restrict g, float* __restrict v, float* __restrict w) {
  for (int64_t i = 0; i < count; ++i) {
    v[i] = momentum * v[i] + g[i];
    w[i] -= learning_rate * v[i];
  }
}

namespace {

// work(begin, length) over [0, count) in pieces of `piece`.
template <class Work>
void share(int64_t count, int64_t piece, bool worth_threads, const Work& work) {
  const int64_t pieces = (count + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (worth_threads && pieces > 1)
  for (int64_t p = 0; p < pieces; ++p) work(p * piece, std::min(piece, count - p * piece));
}

template <class Work>
void share_rows(int64_t m, int64_t n, const Work& work) {
  share(m, std::max<int64_t>(1, kTaskElements / n), m * n >= kSerialElements, work);
}

template <class Work>
void share_elements(int64_t count, const Work& work) {
  share(count, kTaskElements, count >= kSerialElements, work);
}

}  // namespace

void add_bias_hard_tanh(int64_t m, int64_t n, const float* bias, float* y) {
  share_rows(m, n, [=](int64_t i, int64_t rows) { add_bias_hard_tanh_rows(rows, n, bias, y + i * n); });
}

void add_input_bias_hard_tanh(int64_t m, int64_t n, const float* x, const float* bias, float* y) {
  share_rows(m, n,
             [=](int64_t i, int64_t rows) { add_input_bias_hard_tanh_rows(rows, n, x + i * n, bias, y + i * n); });
}

void hard_tanh(int64_t m, int64_t n, float* y) {
  share_elements(m * n, [=](int64_t i, int64_t count) { hard_tanh_range(count, y + i); });
}

void add_bias(int64_t m, int64_t n, const float* x, const float* bias, float* y) {
  share_rows(m, n, [=](int64_t i, int64_t rows) { add_bias_rows(rows, n, x + i * n, bias, y + i * n); });
}

void add_bias_leaky_relu(int64_t m, int64_t n, const float* bias, float slope, float* y) {
  share_rows(m, n, [=](int64_t i, int64_t rows) { add_bias_leaky_relu_rows(rows, n, bias, slope, y + i * n); });
}

void leaky_relu(int64_t m, int64_t n, float slope, float* y) {
  share_elements(m * n, [=](int64_t i, int64_t count) { leaky_relu_range(count, slope, y + i); });
}

void pad(int64_t rows, int64_t pixels, int64_t n, const float* images, float padding, float* padded) {
  share_rows(rows, n, [=](int64_t first, int64_t count) {
    for (int64_t i = first; i < first + count; ++i) {
      float* end = std::copy_n(images + i * pixels, pixels, padded + i * n);
      std::fill_n(end, n - pixels, padding);
    }
  });
}

void hard_tanh_gradient(int64_t m, int64_t n, const float* dy, const float* y, float* dz, float* copy) {
  share_elements(m * n, [=](int64_t i, int64_t count) {
    if (copy == nullptr) {
      gradient_range(count, dy + i, y + i, dz + i);
    } else {
      gradient_copy_range(count, dy + i, y + i, dz + i, copy + i);
    }
  });
}

void column_sums(int64_t m, int64_t n, const float* dz, float beta, float* sums) {
  // 128 columns a task: two accumulating cache lines short of L1 trouble, and enough tasks for many threads.
  constexpr int64_t kColumns = 128;
  share(n, kColumns, m * n >= kSerialElements,
        [=](int64_t j, int64_t columns) { column_sums_range(m, n, columns, dz + j, beta, sums + j); });
}

void step(int64_t count, float learning_rate, const float* v, float* w) {
  share_elements(count, [=](int64_t i, int64_t length) { step_range(length, learning_rate, v + i, w + i); });
}

void momentum_step(int64_t count, float momentum, float learning_rate, const float* g, float* v, float* w) {
  share_elements(count, [=](int64_t i, int64_t length) {
    momentum_step_range(length, momentum, learning_rate, g + i, v + i, w + i);
  });
}

}  // namespace idelta::bench::loops
