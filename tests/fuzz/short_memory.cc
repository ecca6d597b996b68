// For fuzzers whose calls may ask for petabytes: there is no memory for so much, as without a sanitizer, which would
// end the program instead.
#include <cstdlib>
#include <new>

void* operator new(size_t bytes, const std::nothrow_t& /*nothrow*/) noexcept {
  constexpr size_t kMost = size_t{1} << 28;
  return bytes > kMost ? nullptr : std::malloc(bytes);
}
void* operator new(size_t bytes) {
  void* const memory = operator new(bytes, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t& /*nothrow*/) noexcept { std::free(memory); }

// NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizer's name
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
