#include "src/core/machine/memory.h"

#include <cstdlib>
#include <new>
#include <string>

#include "src/core/base/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace idelta::core {

void* aligned_memory(size_t bytes) {
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!memory && bytes > 0) throw std::bad_alloc();
#if defined(__linux__)
  if (bytes >= kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: failing costs speed only
#endif
  return memory;
}

void free_memory(void* memory) { std::free(memory); }

float* OfferedWorkspace::take(int64_t floats) const {
  if (data) {
    const size_t needed = static_cast<size_t>(floats) * sizeof(float);
    if (bytes < needed) {
      throw Failure(IDELTA_INVALID_ARGUMENT, "workspace_bytes = " + std::to_string(bytes) + " is less than the " +
                                                 std::to_string(needed) + " that the workspace query returns");
    }
    if (reinterpret_cast<uintptr_t>(data) % kAlignment != 0) {
      throw Failure(IDELTA_INVALID_ARGUMENT, "workspace is not aligned to 64 bytes");
    }
    return static_cast<float*>(data);
  }
  thread_local FloatBuffer arena;
  if (arena.size() < floats) {
    arena = FloatBuffer();  // first, so that both never exist at once
    arena = FloatBuffer(floats);
  }
  return arena.get();
}

}  // namespace idelta::core
