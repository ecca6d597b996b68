// The threads of the process, shared by all contexts.
//
// A call cuts its tasks into one contiguous share a thread. Each thread takes tasks from the front of its own share, so
// that the same task goes to the same core call after call and finds its panels in that core's cache; when it has none
// left it takes single ones from the back of the share that has most, so that a thread that comes late, or not at all,
// costs little. No result depends on who ran a task.
//
//   share, one cache line a thread:  | call 32 | next task 16 | end 16 |   claimed by compare and swap
//
// The call's number in it is what makes this safe without locks: a thread that wakes after its call is over cannot
// claim anything of the next, and as long as it holds a task the call cannot end.
//
// Threads are made when first wanted. With no tasks left they spin for the time that the context asked for
// (idelta_context_options.spin_us) and then sleep; each wakes two others, so that waking many takes logarithmic time.
#ifndef IDELTA_CORE_THREADS_THREAD_POOL_H
#define IDELTA_CORE_THREADS_THREAD_POOL_H

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "src/core/threads/sleeper.h"
#include "src/core/threads/wake_policy.h"

namespace idelta::core {

// Tasks 0 ... tasks - 1, each task(arg, index) once.
struct Job {
  int64_t tasks;
  void (*task)(void* arg, int64_t index);
  void* arg;
};

class ThreadPool {
 public:
  static constexpr int64_t kMostThreads = 1024;  // that work on one call

  struct Effort {
    int64_t threads;   // at most so many work, the caller among them
    int64_t spin;      // how long they wait for the next call before they sleep, ns
    int64_t duration;  // what the job takes one thread, about, ns
  };

  // Without constructor and destructor code: usable before main and after the end of it.
  constexpr ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Returns when all tasks are done. On the calling thread alone inside a task or an OpenMP region, while another
  // thread has the pool, or when sleeping threads are not worth waking.
  void run(const Job& job, const Effort& effort);

  // Ends all threads and waits for them; whoever calls later works alone. For the library's unloading.
  void stop();
  // In the child of a fork, whose only thread is the caller: forgets the threads, so that new ones can be made.
  void forget_threads();

  int64_t awake() const { return awake_; }      // threads that spin or work, for tests
  int64_t workers() const { return workers_; }  // made so far, likewise

 private:
  struct alignas(8) Share {
    uint32_t call = 0;
    uint16_t next = 0, end = 0;
  };
  struct alignas(8) Call {
    uint32_t number = 0;
    uint16_t threads = 0;  // lanes that take part
    uint16_t wake = 0;     // whether those of them that sleep are woken
  };
  struct Lane {  // of one thread; 0 is the caller's
    alignas(64) std::atomic<Share> share{};
    alignas(64) Sleeper sleeper;
  };
  struct Worker;

  bool acquire() { return !busy_.load(std::memory_order_relaxed) && !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }
  void run_shared(const Job& job, int64_t threads, int64_t spin, bool wake);
  void grow(int64_t workers);
  void work(Worker& me);
  Call next_call(Worker& me, uint32_t seen);
  void wake_children(const Call& call, int64_t lane);
  void wake_worker(int64_t lane);
  void take_part(const Call& call, int64_t lane);
  int64_t claim(const Call& call, int64_t lane);

  // Lines that one side writes and another polls are kept apart.
  alignas(64) std::atomic<Call> call_{};
  std::atomic<int64_t> spin_{0}, published_{0};
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<int64_t> unfinished_{0};  // units of the call
  alignas(64) Sleeper caller_;
  alignas(64) std::atomic<bool> busy_{false};  // a thread has the pool
  Job job_{};                                  // it alone writes this and what follows
  int64_t units_ = 0;                          // a share has 16 bits: tasks beyond that are claimed several at once
  uint32_t calls_ = 0;
  WakePolicy policy_;
  alignas(64) std::atomic<int64_t> awake_{0}, workers_{0};
  std::mutex making_;  // held while threads are made or ended
  Lane callers_lane_;
  std::array<std::atomic<Lane*>, kMostThreads> lanes_{&callers_lane_};
};

// The pool of this process; stopped when the library is unloaded or the process exits.
ThreadPool& process_pool();

}  // namespace idelta::core

#endif  // IDELTA_CORE_THREADS_THREAD_POOL_H
