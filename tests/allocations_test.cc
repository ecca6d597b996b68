// How often calls ask for memory, by counting malloc's family from below: what the library takes for itself counts too.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "idelta/idelta.hpp"

namespace {

std::atomic<int64_t> allocations{0};

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

void* malloc(size_t size) noexcept {
  static const auto next = real<void* (*)(size_t)>("malloc");
  ++allocations;
  return next(size);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
  static const auto next = real<void* (*)(size_t, size_t)>("aligned_alloc");
  ++allocations;
  return next(alignment, size);
}

}  // extern "C"

namespace {

// Without threads, which might be made meanwhile. The thread's own memory may grow in the first call.
int64_t allocations_of_sidmv(int64_t n, int64_t incx, int64_t incy, float alpha, float beta) {
  const idelta::Context context = idelta::Context::with(IDELTA_ISA_AUTO, 1);
  const std::vector<float> x(static_cast<size_t>(n * 3), 1.0f), D(static_cast<size_t>(n * n), 0.01f);
  std::vector<float> y(static_cast<size_t>(n * 3), 1.0f);
  int64_t before = 0;
  for (int call = 0; call < 2; ++call) {
    before = allocations;
    EXPECT_EQ(IDELTA_OK,
              idelta_sidmv(context.get(), 0, n, alpha, 1, x.data(), incx, D.data(), n, beta, y.data(), incy));
  }
  return allocations - before;
}

TEST(Allocations, AreCounted) {
  const int64_t before = allocations;
  const std::vector<float> some(1000);
  EXPECT_GT(allocations, before);
}

TEST(Allocations, SidmvNeedsNone) {
  for (const int64_t n : {1, 33, 300}) {
    for (const int64_t incx : {1, 2, -1}) {
      for (const int64_t incy : {1, -3}) {
        for (const float beta : {0.0f, 0.5f}) {
          EXPECT_EQ(0, allocations_of_sidmv(n, incx, incy, 2.0f, beta)) << n << ", " << incx << ", " << incy;
        }
        EXPECT_EQ(0, allocations_of_sidmv(n, incx, incy, 0.0f, 0.5f)) << "alpha 0";
      }
    }
  }
}

}  // namespace
