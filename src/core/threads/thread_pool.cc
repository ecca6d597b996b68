#include "src/core/threads/thread_pool.h"

#include <algorithm>
#include <memory>
#include <new>
#include <thread>

#include "src/core/base/range.h"
#include "src/core/machine/domains.h"

#if defined(__unix__)
#include <pthread.h>

#include <csignal>
#endif

// OpenMP's, which the program may use.
extern "C" int omp_in_parallel(void) __attribute__((weak));

namespace idelta::core {
namespace {

constexpr int64_t kMostUnits = UINT16_MAX;

thread_local bool takes_part = false;  // this thread runs tasks of a pool

bool inside_openmp_region() { return omp_in_parallel && omp_in_parallel(); }

void run_alone(const Job& job) {
  for (int64_t i = 0; i < job.tasks; ++i) job.task(job.arg, i);
}

// Threads that are made meanwhile block all signals: the program's handlers run on its own threads.
class SignalsBlocked {
 public:
#if defined(__unix__)
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#endif
};

constinit ThreadPool the_pool;

#if defined(__unix__)
const int fork_watch = pthread_atfork(nullptr, nullptr, [] { the_pool.forget_threads(); });
#endif

const struct Unloading {
  ~Unloading() { the_pool.stop(); }
} unloading;

}  // namespace

ThreadPool& process_pool() { return the_pool; }

struct ThreadPool::Worker : Lane {
  Worker(int64_t own_lane, uint32_t call) : lane(own_lane), born(call) {}
  const int64_t lane;
  const uint32_t born;  // the last call before it
  std::thread thread;
};

void ThreadPool::run(const Job& job, const Effort& effort) {
  const int64_t threads = std::min({effort.threads, job.tasks, kMostThreads});
  // Within a task, acquire() fails.
  if (threads <= 1 || inside_openmp_region() || !acquire()) return run_alone(job);
  const int64_t asleep = threads - 1 - awake_;  // or not made yet
  if (asleep <= 0) {
    run_shared(job, threads, effort.spin, false);
    return release();
  }
  const int64_t begin = now_ns();
  const int64_t saving = effort.duration / (threads - asleep) - effort.duration / threads;
  const bool wake = policy_.worth_waking(begin, saving, effort.spin);
  if (wake || asleep < threads - 1) {
    run_shared(job, threads, effort.spin, wake);
  } else {  // other threads may use the pool meanwhile
    release();
    run_alone(job);
    if (!acquire()) return;
  }
  if (!wake) {
    const int64_t end = now_ns();
    policy_.ran_alone(end, (end - begin) * asleep / threads);
  }
  release();
}

void ThreadPool::run_shared(const Job& job, int64_t threads, int64_t spin, bool wake) {
  spin_.store(spin, std::memory_order_relaxed);
  if (wake) grow(threads - 1);
  threads = std::min(threads, workers_ + 1);

  job_ = job;
  units_ = std::min(job.tasks, kMostUnits);
  unfinished_.store(units_, std::memory_order_relaxed);
  const Call call{++calls_, static_cast<uint16_t>(threads), wake};
  for (int64_t lane = 0; lane < threads; ++lane) {
    const Range share = part_of(units_, threads, lane);
    lanes_[static_cast<size_t>(lane)].load()->share.store(
        {call.number, static_cast<uint16_t>(share.begin), static_cast<uint16_t>(share.end)}, std::memory_order_release);
  }
  if (wake) published_.store(now_ns(), std::memory_order_relaxed);
  call_ = call;
  if (wake) wake_children(call, 0);

  takes_part = true;
  take_part(call, 0);
  takes_part = false;
  // Usually long enough for the last tasks. Then sleep, because those threads may need the CPU of this loop.
  constexpr int64_t kPatience = 200'000;
  const auto finished = [this] { return unfinished_ == 0; };
  while (!spin_until(kPatience, finished)) caller_.sleep(finished);
}

void ThreadPool::take_part(const Call& call, int64_t lane) {
  int64_t finished = 0;
  for (int64_t unit = claim(call, lane); unit >= 0; unit = claim(call, lane), ++finished) {
    const Range tasks = part_of(job_.tasks, units_, unit);
    for (int64_t i = tasks.begin; i < tasks.end; ++i) job_.task(job_.arg, i);
  }
  if (finished > 0 && unfinished_.fetch_sub(finished) == finished) caller_.wake();
}

// The next unit for this lane; -1: none is left. Only a thread that holds a unit may read job_.
int64_t ThreadPool::claim(const Call& call, int64_t lane) {
  int64_t from = lane, left = 0;
  do {
    std::atomic<Share>& shared = lanes_[static_cast<size_t>(from)].load(std::memory_order_relaxed)->share;
    for (Share share = shared.load(std::memory_order_relaxed); share.call == call.number && share.next < share.end;) {
      Share rest = share;
      const int64_t unit = from == lane ? rest.next++ : --rest.end;
      if (shared.compare_exchange_weak(share, rest, std::memory_order_acquire, std::memory_order_relaxed)) return unit;
    }
    left = 0;
    for (int64_t other = 0; other < call.threads; ++other) {
      const Share share =
          lanes_[static_cast<size_t>(other)].load(std::memory_order_relaxed)->share.load(std::memory_order_relaxed);
      if (share.call != call.number || share.end - share.next <= left) continue;
      from = other;
      left = share.end - share.next;
    }
  } while (left > 0);
  return -1;
}

// ---- Workers -------------------------------------------------------------------------------------------------------

void ThreadPool::work(Worker& me) {
  takes_part = true;
  bind_this_thread(me.lane);
  for (uint32_t seen = me.born;;) {
    const Call call = next_call(me, seen);
    if (stopping_) return;
    seen = call.number;
    if (call.wake) wake_children(call, me.lane);
    take_part(call, me.lane);
  }
}

// The next call after `seen` that this thread takes part in; any value if the pool is stopping.
ThreadPool::Call ThreadPool::next_call(Worker& me, uint32_t seen) {
  Call call;
  const auto wanted = [&] {
    call = call_;
    return (call.number != seen && me.lane < call.threads) || stopping_;
  };
  bool slept = false;
  while (!spin_until(spin_.load(std::memory_order_relaxed), wanted)) {
    --awake_;
    if (me.sleeper.sleep(wanted)) ++awake_;  // else wake_worker() has counted it
    slept = true;
  }
  if (slept && call.wake) policy_.arrived(now_ns() - published_.load(std::memory_order_relaxed));
  return call;
}

void ThreadPool::wake_children(const Call& call, int64_t lane) {
  for (const int64_t child : {2 * lane + 1, 2 * lane + 2}) {
    if (child < call.threads) wake_worker(child);
  }
}

void ThreadPool::wake_worker(int64_t lane) {
  if (lanes_[static_cast<size_t>(lane)].load(std::memory_order_relaxed)->sleeper.wake()) ++awake_;
}

void ThreadPool::grow(int64_t workers) {
  if (workers_ >= workers) return;
  const std::lock_guard<std::mutex> lock(making_);
  const SignalsBlocked signals_blocked;
  try {
    while (workers_ < workers && !stopping_) {
      auto worker = std::make_unique<Worker>(workers_ + 1, calls_);
      worker->thread = std::thread([this, me = worker.get()] { work(*me); });
      ++awake_;
      lanes_[static_cast<size_t>(worker->lane)] = worker.get();
      ++workers_;
      static_cast<void>(worker.release());
    }
  } catch (const std::exception&) {
    // No memory, or no more threads for this process: the existing ones do the work.
  }
}

void ThreadPool::stop() {
  if (takes_part) return;  // the program exits in the middle of a task: its threads end with it
  const std::lock_guard<std::mutex> lock(making_);
  const bool idle = !busy_.exchange(true);  // never released
  stopping_ = true;
  const int64_t workers = workers_.exchange(0);
  for (int64_t lane = 1; lane <= workers; ++lane) wake_worker(lane);
  for (int64_t lane = 1; lane <= workers; ++lane) {
    auto* worker = static_cast<Worker*>(lanes_[static_cast<size_t>(lane)].load());
    worker->thread.join();
    if (idle) delete worker;  // else a call that still runs may read it
  }
  awake_ = 0;
}

void ThreadPool::forget_threads() { new (this) ThreadPool; }

}  // namespace idelta::core
