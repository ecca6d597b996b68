// Aligned memory: packed deltas own it, calls borrow it.
#ifndef IDELTA_CORE_MACHINE_MEMORY_H
#define IDELTA_CORE_MACHINE_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/kernels.h"
#include "src/core/base/range.h"

namespace idelta::core {

inline constexpr size_t kAlignment = 64;  // a cache line, and the widest vector

// Memory of so many bytes, uninitialised and aligned to kAlignment; from 2 MiB on to huge pages, which the kernel is
// asked for: streaming D at m = 1 would otherwise miss the TLB every KiB. (From 256 KiB on gave 1 % and took 2 MiB for
// every small delta.) Throws std::bad_alloc. Free with free_memory().
void* aligned_memory(size_t bytes);
void free_memory(void* memory);

// Numbers of four bytes in such memory.
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

// What the caller offered as workspace; null for none.
struct OfferedWorkspace {
  void* data = nullptr;
  size_t bytes = 0;

  // `floats` of it, or of this thread's own buffer, which grows and is kept. Throws Failure if what was offered is too
  // small or misaligned.
  float* take(int64_t floats) const;
};

// Memory of `floats` for each of several tasks, from one task's to the next: so far apart that the hardware does not
// fetch, past the end of one's, what another will write. One behind the other, backward_data without dz took 1.5 times
// as long (n = 64, m = 128), backward_weights up to 1.04 times; 4 KiB apart half of that (two cores, Zen 5, 2026-11).
constexpr int64_t task_stride(int64_t floats, int64_t tasks) {
  constexpr int64_t kApart = 4096;
  return tasks > 1 && floats > 0 ? floats + kApart : floats;
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_MEMORY_H
