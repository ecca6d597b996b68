// How a thread waits: it spins, then sleeps until another thread wakes it. On Linux by futex rather than
// std::atomic::wait: libstdc++'s spins and yields before it sleeps, and GCC 11's can miss a wake.
#ifndef IDELTA_CORE_THREADS_SLEEPER_H
#define IDELTA_CORE_THREADS_SLEEPER_H

#include <atomic>
#include <chrono>
#include <cstdint>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace idelta::core {

inline void spin_pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Polls ready() for `patience` ns, but at least once; returns whether it came true.
template <class Ready>
bool spin_until(int64_t patience, Ready&& ready) {
  constexpr int kPolls = 16;  // between looks at the clock, which costs as much as one or two pauses
  if (ready()) return true;
  if (patience <= 0) return false;
  for (const int64_t end = now_ns() + patience; now_ns() < end;) {
    for (int poll = 0; poll < kPolls; ++poll) {
      spin_pause();
      if (ready()) return true;
    }
  }
  return false;
}

// Where one thread sleeps. Another makes its condition true by a sequentially consistent store, then calls wake().
class Sleeper {
 public:
  // Returns when woken, perhaps spuriously. If ready() is true it returns at once: true, unless a wake() has counted
  // this thread as asleep.
  template <class Ready>
  bool sleep(Ready&& ready) {
    asleep_ = 1;
    if (ready()) return asleep_.exchange(0) == 1;
    while (asleep_ == 1) wait();
    return false;
  }

  // Whether the thread was asleep; else no system call is made.
  bool wake() {
    if (asleep_ == 0 || asleep_.exchange(0) == 0) return false;
    notify();
    return true;
  }

 private:
#if defined(__linux__)
  static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "the kernel compares four bytes");
  void wait() { syscall(SYS_futex, &asleep_, FUTEX_WAIT_PRIVATE, 1, nullptr, nullptr, 0); }
  void notify() { syscall(SYS_futex, &asleep_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }
#else
  void wait() { asleep_.wait(1); }
  void notify() { asleep_.notify_one(); }
#endif
  std::atomic<int32_t> asleep_{0};
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_THREADS_SLEEPER_H
