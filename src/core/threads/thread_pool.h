// The threads of the process, shared by all contexts.
//
// A call gives each thread a contiguous share of its tasks. A thread takes tasks from the front of its own share, so
// that in every call a task runs on the same core, whose cache has its panels. When its share is empty it takes single
// tasks from the back of the largest share, so that late threads cost little. No result depends on who runs a task.
//
//   share, one cache line a thread:  | call 32 | next task 16 | end 16 |   claimed by compare and swap
//
// The call's number makes this safe without locks: a thread that wakes late cannot claim a task of a later call, and a
// call cannot end while a thread holds one of its tasks.
//
// Threads are made when they are first needed. Idle threads spin for idelta_context_options.spin_us and then sleep.
// Each wakes two others, so that waking takes logarithmic time.
#ifndef IDELTA_CORE_THREADS_THREAD_POOL_H
#define IDELTA_CORE_THREADS_THREAD_POOL_H

#include <array>
#include <atomic>
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
  static constexpr int64_t kMostThreads = 1024;  // in one call

  struct Effort {
    int64_t threads;   // at most, with the caller
    int64_t spin;      // how long they wait for the next call before they sleep, ns
    int64_t duration;  // estimate of the job's time on one thread, ns
  };

  // Constant initialisation: usable before and after main.
  constexpr ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Returns when all tasks are done. The calling thread works alone inside a task or an OpenMP region, while another
  // thread has the pool, and if sleeping threads are not worth waking.
  void run(const Job& job, const Effort& effort);

  // Ends all threads and waits for them, when the library is unloaded. Later calls run on the calling thread.
  void stop();
  // For the child of a fork, which has one thread only: forgets the threads, so that new ones can be made.
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
    uint16_t wake = 0;     // whether sleeping ones are woken
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

  // What one thread writes and others poll is in cache lines of its own.
  alignas(64) std::atomic<Call> call_{};
  std::atomic<int64_t> spin_{0}, published_{0};
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<int64_t> unfinished_{0};  // units of the call
  alignas(64) Sleeper caller_;
  alignas(64) std::atomic<bool> busy_{false};  // a thread has the pool
  Job job_{};                                  // only that thread writes this and the next members
  int64_t units_ = 0;                          // tasks, or groups of tasks if they exceed the 16 bits of a share
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
