// The process' threads: every task once whoever calls, stealing, sleeping and waking, and the decision to wake.
#include "src/core/threads/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <type_traits>
#include <vector>

#include "src/core/threads/wake_policy.h"

// In place of OpenMP's, which the pool asks if the program has it.
static bool inside_openmp_region = false;
extern "C" int omp_in_parallel() { return inside_openmp_region ? 1 : 0; }

namespace idelta::core {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kLong = kSecond;  // as duration: always worth waking

// A pool of the test's own; body(index) on it.
class PoolTest : public ::testing::Test {
 protected:
  void TearDown() override { pool.stop(); }

  template <class Body>
  void run(int64_t tasks, int64_t threads, Body&& body, int64_t spin = 100'000, int64_t duration = kLong) {
    pool.run(
        {tasks, [](void* arg, int64_t index) { (*static_cast<std::remove_reference_t<Body>*>(arg))(index); }, &body},
        {.threads = threads, .spin = spin, .duration = duration});
  }

  // False if it does not come true within ten seconds.
  template <class Ready>
  static bool wait_for(Ready&& ready) {
    for (int i = 0; i < 10000 && !ready(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return ready();
  }

  ThreadPool pool;
};

TEST_F(PoolTest, EveryTaskRunsOnceForAnyCountOfTasksAndThreads) {
  for (const int64_t threads : {1, 2, 3, 16}) {
    for (const int64_t tasks : {0, 1, 2, 3, 7, 64, 1000, 70000, 200001}) {  // shares count to 65535
      std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
      run(tasks, threads, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; });
      for (int64_t i = 0; i < tasks; ++i) {
        ASSERT_EQ(1, runs[static_cast<size_t>(i)]) << "task " << i << " of " << tasks << ", " << threads << " threads";
      }
    }
  }
}

TEST_F(PoolTest, EveryTaskRunsOnceUnderManyCallers) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  callers.reserve(6);
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 200; ++round) {
        const int64_t tasks = 1 + (round * 7 + caller) % 19;
        std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
        run(
            tasks, 2 + caller % 3, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; }, caller % 2 * 20'000);
        for (const std::atomic<int>& each : runs) wrong += each != 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(0, wrong);
}

TEST_F(PoolTest, ThreadsWorkAtTheSameTime) {
  std::atomic<int> arrived{0};
  std::set<std::thread::id> who;
  std::mutex guard;
  run(4, 4, [&](int64_t) {
    {
      const std::lock_guard<std::mutex> lock(guard);
      who.insert(std::this_thread::get_id());
    }
    ++arrived;
    ASSERT_TRUE(wait_for([&] { return arrived == 4; })) << "only " << arrived << " tasks run at once";
  });
  EXPECT_EQ(4u, who.size());
  EXPECT_EQ(3, pool.workers());
}

TEST_F(PoolTest, ATaskKeepsItsThreadFromCallToCall) {
  constexpr int64_t kTasks = 4;
  std::vector<std::thread::id> first(kTasks), later(kTasks);
  for (std::vector<std::thread::id>* who : {&first, &later}) {
    std::atomic<int> arrived{0};
    run(kTasks, kTasks, [&](int64_t i) {
      (*who)[static_cast<size_t>(i)] = std::this_thread::get_id();
      ++arrived;  // nobody takes a second task while others are on their way
      wait_for([&] { return arrived == kTasks; });
    });
  }
  EXPECT_EQ(first, later);
}

TEST_F(PoolTest, TasksOfASlowThreadAreTaken) {
  constexpr int64_t kTasks = 8;
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int64_t> by_caller{0};
  std::atomic<bool> other_came{false};
  bool all_taken = false;
  run(kTasks, 2, [&](int64_t) {
    if (std::this_thread::get_id() == caller) {
      wait_for([&] { return other_came.load(); });
      ++by_caller;
    } else {  // stays in its first task until all others are done
      other_came = true;
      all_taken = wait_for([&] { return by_caller == kTasks - 1; });
    }
  });
  EXPECT_TRUE(all_taken) << by_caller << " of " << kTasks;
}

TEST_F(PoolTest, NestedCallsStayOnTheirThread) {
  std::atomic<int> strangers{0}, inner{0};
  run(4, 4, [&](int64_t) {
    const std::thread::id outer = std::this_thread::get_id();
    run(3, 3, [&](int64_t) {
      ++inner;
      strangers += std::this_thread::get_id() != outer;
    });
  });
  EXPECT_EQ(12, inner);
  EXPECT_EQ(0, strangers);
}

TEST_F(PoolTest, InsideAnOpenMpRegionCallersWorkAlone) {
  const std::thread::id caller = std::this_thread::get_id();
  inside_openmp_region = true;
  run(4, 4, [&](int64_t) { EXPECT_EQ(caller, std::this_thread::get_id()); });
  inside_openmp_region = false;
  EXPECT_EQ(0, pool.workers());
}

TEST_F(PoolTest, ManyMoreThreadsThanCoresFinish) {
  std::atomic<int64_t> sum{0};
  for (int round = 0; round < 50; ++round) {
    run(
        16, 16, [&](int64_t i) { sum += i; }, round % 2 * 100'000);
  }
  EXPECT_EQ(50 * 120, sum);
}

TEST_F(PoolTest, ThreadsAreAsManyAsTheLargestCallWants) {
  run(8, 3, [](int64_t) {});
  EXPECT_EQ(2, pool.workers());
  run(2, 8, [](int64_t) {});
  EXPECT_EQ(2, pool.workers());
  run(8, 5, [](int64_t) {});
  EXPECT_EQ(4, pool.workers());
}

TEST_F(PoolTest, ThreadsSleepWhenTheySpunTheirTime) {
  run(
      2, 2, [](int64_t) {}, 1000 * kSecond);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(1, pool.awake()) << "did not spin";
  run(
      2, 2, [](int64_t) {}, 0);
  EXPECT_TRUE(wait_for([&] { return pool.awake() == 0; }));
  std::atomic<int> arrived{0};  // and can be woken
  run(2, 2, [&](int64_t) {
    ++arrived;
    EXPECT_TRUE(wait_for([&] { return arrived == 2; }));
  });
}

TEST_F(PoolTest, ASleepingPoolIsLeftAloneForSmallWork) {
  const std::thread::id caller = std::this_thread::get_id();
  run(
      2, 2, [&](int64_t) { EXPECT_EQ(caller, std::this_thread::get_id()); }, 0, 1000);
  EXPECT_EQ(0, pool.workers());
}

TEST_F(PoolTest, AfterStopCallersWorkAlone) {
  run(4, 4, [](int64_t) {});
  pool.stop();
  const std::thread::id caller = std::this_thread::get_id();
  int runs = 0;
  run(4, 4, [&](int64_t) {
    EXPECT_EQ(caller, std::this_thread::get_id());
    ++runs;
  });
  EXPECT_EQ(4, runs);
}

// ---- When to wake --------------------------------------------------------------------------------------------------

constexpr int64_t kUs = 1000, kPatience = 100 * kUs;

TEST(WakePolicy, ALargeCallWakesAtOnceALoneSmallOneDoesNot) {
  WakePolicy policy;
  EXPECT_TRUE(policy.worth_waking(kSecond, policy.cost(), kPatience));
  EXPECT_FALSE(policy.worth_waking(kSecond, policy.cost() - 1, kPatience));
}

TEST(WakePolicy, AStreamOfSmallCallsWakesWhenItHasLostTheCost) {
  WakePolicy policy;
  const int64_t saving = 10 * kUs;
  int64_t now = kSecond, alone = 0;
  while (!policy.worth_waking(now, saving, kPatience)) {
    ASSERT_LT(++alone, 100);
    policy.ran_alone(now += 20 * kUs, saving);
    now += kPatience / 2;  // shorter than the threads would have stayed awake
  }
  EXPECT_EQ(policy.cost() / saving - 1, alone);
}

TEST(WakePolicy, APauseForgetsWhatWasLost) {
  WakePolicy policy;
  const int64_t saving = 10 * kUs;
  int64_t now = kSecond;
  for (int call = 0; call < 100; ++call) {
    ASSERT_FALSE(policy.worth_waking(now, saving, kPatience));
    policy.ran_alone(now += 20 * kUs, saving);
    now += kPatience + 1;
  }
}

TEST(WakePolicy, LearnsWhatWakingCostsWithinReason) {
  WakePolicy policy;
  for (int i = 0; i < 100; ++i) policy.arrived(5 * kUs);
  EXPECT_NEAR(5. * kUs, static_cast<double>(policy.cost()), 10);
  for (int i = 0; i < 100; ++i) policy.arrived(kSecond);  // the machine was busy
  EXPECT_LE(policy.cost(), 100 * kUs);
  EXPECT_GT(policy.cost(), 50 * kUs);
}

}  // namespace
}  // namespace idelta::core
