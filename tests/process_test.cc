// The library inside other programs: after fork, inside an outer OpenMP region, from several threads at once, and when
// it is to take no time of anybody's after a call.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include "support/fixture.h"

namespace idelta_test {
namespace {

// Large enough to be worth threads, so that the hazards are met.
class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() {
    Random random(1);
    fill_uniform(x, random), fill_delta(D, random);
    delta = pack(context, D);
    forward(x, y, kRows);
  }
  void forward(const Matrix& from, const Matrix& to, int64_t rows) {
    EXPECT_EQ(IDELTA_OK, try_forward(from.data(), to.data(), rows)) << idelta_last_error();
  }
  idelta_status try_forward(const float* from, float* to, int64_t rows) const {
    return try_forward(context, from, to, rows);
  }
  idelta_status try_forward(const ContextPtr& on, const float* from, float* to, int64_t rows) const {
    idelta_forward_args args = forward_args(x, y);
    args.m = rows;
    args.x = from;
    args.y = to;
    return idelta_forward(on.get(), delta.get(), &args);
  }
  // Of this process. /proc lists a thread that has just ended, or begun, with a delay.
  static int64_t threads() {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  }
  static constexpr int64_t kRows = 200, kWidth = 256;
  ContextPtr context = make_context(context_options(forced_isa(), 2));
  Matrix x{kRows, kWidth}, D{kWidth, kWidth}, y{kRows, kWidth};
  DeltaPtr delta;
};

TEST_F(ProcessTest, ForkedChildComputesWithoutHanging) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // a hang dies of SIGALRM
    const Matrix again(kRows, kWidth);
    const bool same =
        try_forward(x.data(), again.data(), kRows) == IDELTA_OK && again.element_bits() == y.element_bits();
    _exit(!same ? 1 : threads() < 2 ? 2 : 0);
  }
  int status = 0;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  ASSERT_FALSE(WIFSIGNALED(status)) << "child died of signal " << WTERMSIG(status);
  EXPECT_NE(1, WEXITSTATUS(status)) << "child computed other numbers";
  EXPECT_NE(2, WEXITSTATUS(status)) << "child worked on one thread";
  EXPECT_EQ(0, WEXITSTATUS(status));
  const Matrix again(kRows, kWidth);  // and the parent goes on
  forward(x, again, kRows);
  EXPECT_EQ(y.element_bits(), again.element_bits());
}

// As a server does that forks from one of its threads while the others compute: the child has one thread, a pool of its
// own, and may begin threads that share what the parent made.
TEST_F(ProcessTest, ForkAmongBusyThreadsLeavesAWorkingChild) {
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> busy;
  for (int i = 0; i < 3; ++i) {
    busy.emplace_back([&] {
      const Matrix own(kRows, kWidth);
      while (!stop) failed += try_forward(x.data(), own.data(), kRows) == IDELTA_OK ? 0 : 1;
    });
  }
  const auto child_main = [&] {
    const Matrix again(kRows, kWidth), other(kRows, kWidth);
    const ContextPtr fresh = make_context(context_options(forced_isa(), 2));
    idelta_status of_thread = IDELTA_INTERNAL;
    std::thread([&] { of_thread = try_forward(fresh, x.data(), other.data(), kRows); }).join();
    const bool same = try_forward(x.data(), again.data(), kRows) == IDELTA_OK && of_thread == IDELTA_OK &&
                      again.element_bits() == y.element_bits() && other.element_bits() == y.element_bits();
    return same ? 0 : 1;
  };
  std::thread([&] {
    for (int round = 0; round < 20 && !HasFailure(); ++round) {
      const pid_t child = fork();
      if (child == 0) {
        alarm(20);  // a hang dies of SIGALRM
        _exit(child_main());
      }
      int status = -1;
      EXPECT_EQ(child, waitpid(child, &status, 0));
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "round " << round << ": status " << status;
    }
  }).join();
  stop = true;
  for (std::thread& each : busy) each.join();
  EXPECT_EQ(0, failed);
}

#if defined(_OPENMP)
TEST_F(ProcessTest, OuterParallelRegionGivesTheSameBits) {
  const Matrix again(kRows, kWidth);
  std::atomic<int> failed{0};
  constexpr int kParts = 4;
#pragma omp parallel for num_threads(kParts) schedule(static, 1)
  for (int part = 0; part < kParts; ++part) {
    const int64_t first = part * kRows / kParts * kWidth;
    if (try_forward(x.data() + first, again.data() + first, kRows / kParts) != IDELTA_OK) ++failed;
  }
  EXPECT_EQ(0, failed);
  EXPECT_EQ(y.element_bits(), again.element_bits());
}
#endif

TEST_F(ProcessTest, SleepingThreadsTakeNoTime) {
  idelta_context_options options = context_options(forced_isa(), 4);
  options.spin_us = 0;
  const ContextPtr restful = make_context(options);
  const Matrix again(kRows, kWidth);
  const auto cpu_ms = [] {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
  };
  ASSERT_OK(try_forward(restful, x.data(), again.data(), kRows));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // a thread that came late finds nothing to do
  const double before = cpu_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LT(cpu_ms() - before, 5) << "of 100 ms in which nothing was asked for";
}

TEST_F(ProcessTest, OneContextAndDeltaServeManyThreads) {
  constexpr int kThreads = 4;
  std::vector<Matrix> results;
  results.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) results.emplace_back(kRows, kWidth);
  std::atomic<int> failed{0};
  std::vector<std::thread> workers;
  workers.reserve(kThreads);
  for (const Matrix& result : results) {
    workers.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        if (try_forward(x.data(), result.data(), kRows) != IDELTA_OK) ++failed;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(0, failed);
  for (const Matrix& result : results) EXPECT_EQ(y.element_bits(), result.element_bits());
}

}  // namespace
}  // namespace idelta_test
