#include "support/allocations.h"

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>

#include "support/sanitized.h"

// The definitions that these stand before, by their names in the C library or in the sanitizer: dlsym() would ask for
// memory itself.
extern "C" {
#if IDELTA_TEST_SANITIZED
void* next_malloc(size_t) asm("__interceptor_malloc");
void* next_calloc(size_t, size_t) asm("__interceptor_calloc");
void* next_realloc(void*, size_t) asm("__interceptor_realloc");
void* next_memalign(size_t, size_t) asm("__interceptor_memalign");
void next_free(void*) asm("__interceptor_free");
#else
void* next_malloc(size_t) asm("__libc_malloc");
void* next_calloc(size_t, size_t) asm("__libc_calloc");
void* next_realloc(void*, size_t) asm("__libc_realloc");
void* next_memalign(size_t, size_t) asm("__libc_memalign");
void next_free(void*) asm("__libc_free");
#endif
}

namespace {

std::atomic<int64_t> requests{0}, held{0};
// Of a refusal.
std::atomic<size_t> least_bytes{SIZE_MAX};
std::atomic<int64_t> counted{0}, first_refused{0}, last_refused{0};

bool refused(size_t bytes) {
  ++requests;
  if (bytes < least_bytes) return false;
  const int64_t number = ++counted;
  return number >= first_refused && number <= last_refused;
}

void* kept(void* memory) {
  if (memory != nullptr) ++held;
  return memory;
}

template <class Ask>
void* answered(size_t bytes, const Ask& ask) {
  if (!refused(bytes)) return kept(ask());
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

extern "C" {
void* malloc(size_t bytes) {
  return answered(bytes, [&] { return next_malloc(bytes); });
}
void* calloc(size_t count, size_t bytes) {
  return answered(count * bytes, [&] { return next_calloc(count, bytes); });
}
void* memalign(size_t alignment, size_t bytes) {
  return answered(bytes, [&] { return next_memalign(alignment, bytes); });
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  void* const made = memalign(alignment, bytes);
  if (made == nullptr) return ENOMEM;
  *memory = made;
  return 0;
}
void* realloc(void* old, size_t bytes) {
  if (old == nullptr) return malloc(bytes);
  if (refused(bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const made = next_realloc(old, bytes);
  if (made == nullptr && bytes == 0) --held;
  return made;
}
void free(void* memory) {
  if (memory != nullptr) --held;
  next_free(memory);
}
#if !IDELTA_TEST_SANITIZED
// Counted and never refused: what maps files and pages tells of it in its own way.
// NOLINTNEXTLINE(performance-no-int-to-ptr): a system call
void* mmap(void* address, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  ++requests;
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
#endif
}

#if IDELTA_TEST_SANITIZED
// The sanitizer's do not come through malloc; the C++ library's do.
void* operator new(size_t bytes) {
  void* const memory = malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t bytes, const std::nothrow_t& /*nothrow*/) noexcept { return malloc(bytes); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t /*bytes*/) noexcept { free(memory); }
void operator delete(void* memory, const std::nothrow_t& /*nothrow*/) noexcept { free(memory); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  void* const memory = memalign(static_cast<size_t>(alignment), bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { free(memory); }
void operator delete(void* memory, size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept { free(memory); }
#endif

namespace idelta_test {

Allocations allocations() { return {requests, held}; }

ScopedRefusal::ScopedRefusal(int64_t which, Refuse how, size_t least) {
  counted = 0;
  first_refused = which;
  last_refused = how == Refuse::kOne ? which : INT64_MAX;
  least_bytes = least;
}

ScopedRefusal::~ScopedRefusal() { least_bytes = SIZE_MAX; }

bool ScopedRefusal::happened() const { return counted >= first_refused; }

}  // namespace idelta_test
