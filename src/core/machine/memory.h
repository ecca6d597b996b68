// Aligned memory for packed deltas and workspaces.
#ifndef IDELTA_CORE_MACHINE_MEMORY_H
#define IDELTA_CORE_MACHINE_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/kernels.h"
#include "src/core/base/range.h"

namespace idelta::core {

inline constexpr size_t kAlignment = 64;  // a cache line, and the widest vector

// Uninitialised memory, aligned to kAlignment, from 2 MiB on in huge pages: reading D at m = 1 would else miss the TLB
// every KiB. Throws std::bad_alloc. Free with free_memory().
void* aligned_memory(size_t bytes);
void free_memory(void* memory);

// Owns such memory.
template <class Of>
class AlignedBuffer {
 public:
  using Number = typename Of::Number;

  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t size)
      : data_(aligned_memory(static_cast<size_t>(size) * sizeof(Number))), size_(size) {}
  Number* get() const { return static_cast<Number*>(data_.get()); }
  int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void* p) const { free_memory(p); }
  };
  std::unique_ptr<void, Free> data_;
  int64_t size_ = 0;
};
using FloatBuffer = AlignedBuffer<Floats>;
using WordBuffer = AlignedBuffer<Pairs>;

// The workspace that the caller offered; null: none.
struct OfferedWorkspace {
  void* data = nullptr;
  size_t bytes = 0;

  // `floats` of it, or of this thread's own buffer, which grows and is kept. Throws Failure if the offered memory is
  // too small or misaligned.
  float* take(int64_t floats) const;
};

// Distance between the memory of two tasks that need `floats` each. The gap keeps the hardware from prefetching what
// another task will write: without it backward_data takes 1.5 times as long (n = 64, m = 128, two cores, Zen 5,
// 2026-11).
constexpr int64_t task_stride(int64_t floats, int64_t tasks) {
  constexpr int64_t kApart = 4096;
  return tasks > 1 && floats > 0 ? floats + kApart : floats;
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_MEMORY_H
