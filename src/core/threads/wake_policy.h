// Whether a sleeping pool is worth waking: ski rental.
//
// Waking has a fixed cost, after which the threads stay awake for a while. Calls run on one thread until the time lost
// by that adds up to the cost of waking; a pause in which the threads would fall asleep again resets the sum. So the
// loss is at most twice the optimum. A lone small call stays on its thread, a stream of them soon gets the other
// threads, and a large one gets them at once. Times are ns.
#ifndef IDELTA_CORE_THREADS_WAKE_POLICY_H
#define IDELTA_CORE_THREADS_WAKE_POLICY_H

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace idelta::core {

class WakePolicy {
 public:
  // For a call that begins at `now` and that other threads would shorten by about `saving`; `patience` is how long they
  // would wait for the next call.
  bool worth_waking(int64_t now, int64_t saving, int64_t patience) {
    if (now - last_end_ > patience) lost_ = 0;
    if (lost_ + saving < cost()) return false;
    lost_ = 0;
    return true;
  }

  // That call ended at `now` without them and lost so much time by it.
  void ran_alone(int64_t now, int64_t lost) {
    lost_ += lost;
    last_end_ = now;
  }

  // A woken thread came after `latency`. Called on any thread.
  void arrived(int64_t latency) {
    const int64_t sample = std::clamp(latency, kLeastCost, kMostCost);
    cost_.store(cost() + (sample - cost()) / 4, std::memory_order_relaxed);
  }

  int64_t cost() const { return cost_.load(std::memory_order_relaxed); }

 private:
  // Waking takes 65 us on a virtual machine (EPYC Turin, 2026-11), 5 to 10 us on bare metal. Times outside of the
  // bounds come from a busy machine.
  static constexpr int64_t kLeastCost = 3'000, kFirstCost = 50'000, kMostCost = 100'000;

  int64_t lost_ = 0, last_end_ = 0;
  std::atomic<int64_t> cost_{kFirstCost};
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_THREADS_WAKE_POLICY_H
