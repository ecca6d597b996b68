// Arguments made of the fuzzer's bytes, and the memory that they promise.
//
// What a call may read or write by its documented shapes is really there, to the byte: matrices lie against a page that
// is not accessible, structs in as many bytes as their struct_size says. What it must refuse before it touches
// anything, because a size is wrong, is an address that nobody may touch.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <idelta/idelta.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <list>
#include <memory>
#include <vector>

#include "support/guard_buffer.h"

namespace idelta_fuzz {

class Arguments {
 public:
  Arguments(const uint8_t* bytes, size_t count) : from_(bytes, count) {}

  bool more() { return from_.remaining_bytes() > 0; }
  bool chance(int of) { return from_.ConsumeIntegralInRange(1, of) == 1; }
  int64_t below(int64_t count) { return from_.ConsumeIntegralInRange<int64_t>(0, count - 1); }
  std::string text() { return from_.ConsumeRandomLengthString(40); }

  // Mostly small, so that calls do something.
  int64_t size(int64_t usual = 40) {
    constexpr int64_t kOdd[] = {-1,
                                0,
                                1,
                                INT64_MIN,
                                INT64_MAX,
                                int64_t{1} << 24,
                                (int64_t{1} << 24) + 1,
                                int64_t{1} << 31,
                                int64_t{1} << 32,
                                int64_t{1} << 62};
    return chance(12) ? from_.PickValueInArray(kOdd) : from_.ConsumeIntegralInRange<int64_t>(0, usual);
  }
  // A row stride for `cols` columns.
  int64_t stride(int64_t cols) {
    if (chance(16)) return size();
    return cols > 0 && cols < (int64_t{1} << 30) ? cols + (chance(3) ? below(9) : 0) : cols;
  }
  template <class Kind>
  Kind kind(int last) {
    return static_cast<Kind>(chance(20) ? from_.ConsumeIntegral<int>() : from_.ConsumeIntegralInRange(0, last));
  }
  float number() {
    constexpr float kOdd[] = {0.0f,
                              -0.0f,
                              1.0f,
                              -1.0f,
                              1e-40f,
                              3e38f,
                              std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()};
    return chance(8) ? from_.PickValueInArray(kOdd) : from_.ConsumeFloatingPointInRange(-1.0f, 1.0f);
  }

  // rows x cols of row stride ld; null now and then, or because nobody has so much memory.
  float* matrix(int64_t rows, int64_t cols, int64_t ld) {
    constexpr int64_t kMost = 1 << 14;
    if (chance(24)) return nullptr;
    if (rows <= 0 || cols <= 0 || ld < cols) return untouchable();
    int64_t floats = 0;
    if (__builtin_mul_overflow(rows - 1, ld, &floats) || __builtin_add_overflow(floats, cols, &floats) ||
        floats > kMost) {
      return nullptr;
    }
    const auto data = static_cast<float*>(memory(static_cast<size_t>(floats) * sizeof(float), alignof(float)));
    // A few of the fuzzer's numbers, repeated: its bytes are worth more elsewhere.
    float some[5];
    for (float& each : some) each = number();
    const float scale = chance(4) ? 1.0f : 0.01f;
    for (int64_t i = 0; i < floats; ++i) data[i] = scale * some[i % 5];
    return data;
  }
  float* vector(int64_t count) { return matrix(1, count, count); }

  // Exactly so many bytes against the page behind them.
  void* memory(size_t bytes, size_t alignment) {
    return buffers_.emplace_back(bytes, idelta_test::Flush::kRight, alignment).data();
  }

  // `filled`, or what an earlier header or nobody had of it; null now and then.
  template <class Struct>
  Struct* made(Struct filled) {
    if (chance(40)) return nullptr;
    if (chance(10)) {
      constexpr size_t kOdd[] = {0, 1, 7, 8, SIZE_MAX, 1 << 20};
      const size_t words = static_cast<size_t>(from_.ConsumeIntegralInRange<int>(1, sizeof(Struct) / 4 + 2));
      filled.struct_size = chance(3) ? from_.PickValueInArray(kOdd) : 4 * words;
    }
    const size_t bytes = std::clamp(filled.struct_size, sizeof(size_t), sizeof(Struct));
    void* const there = memory(bytes, 1);  // nothing behind it
    void* const aligned = bytes % alignof(Struct) == 0 ? there : memory((bytes + 7) / 8 * 8, alignof(Struct));
    std::memcpy(aligned, &filled, bytes);
    return static_cast<Struct*>(aligned);
  }

  static float* untouchable() {
    static const auto page = static_cast<float*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return page;
  }

 private:
  FuzzedDataProvider from_;
  std::list<idelta_test::GuardBuffer> buffers_;
};

// Every call says one of its statuses, and what was wrong.
inline idelta_status said(idelta_status status, idelta_status last) {
  if (status < IDELTA_OK || status > last || status == IDELTA_INTERNAL) std::abort();
  if (status != IDELTA_OK && *idelta_last_error() == '\0') std::abort();
  return status;
}

}  // namespace idelta_fuzz
