// Results that must not differ in one bit: between thread counts, between who runs the tasks, between cuts of the
// batch, between ISAs, and from the chain of fused multiply-adds that the header promises.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"
#include "support/runs.h"

namespace idelta_test {
namespace {

using BitwiseTest = ContextTest;

// Large enough for threads to pay, with edges in every direction; small ones for the edges alone.
std::vector<Problem> problems() {
  if (reduced()) return {{5, 33}, {120, 131}};
  return {{1, 7}, {5, 33}, {67, 129}, {301, 257}, {43, 390}, {77, 200, {IDELTA_ACTIVATION_HARD_TANH, 0}, -2}};
}

// Several blocks of columns as well, and a single row that is cut. They take most of the time, and meet each runner and
// each number of threads, not every pair of them.
std::vector<Problem> large_problems() {
  if (reduced()) return {};
  return {{1, 1025}, {130, 794}};
}

std::string described(const Problem& problem) {
  return "m " + std::to_string(problem.m) + " n " + std::to_string(problem.n);
}

// ---- Threads ---------------------------------------------------------------------------------------------------

struct TaskLog {
  std::atomic<int64_t> most_tasks{0};
  void saw(int64_t ntasks) {
    int64_t most = most_tasks;
    while (ntasks > most && !most_tasks.compare_exchange_weak(most, ntasks)) {
    }
  }
};

void run_backwards(void* user, int64_t ntasks, void (*task)(void*, int64_t), void* arg) {
  static_cast<TaskLog*>(user)->saw(ntasks);
  for (int64_t i = ntasks - 1; i >= 0; --i) task(arg, i);
}

void run_on_threads(void* user, int64_t ntasks, void (*task)(void*, int64_t), void* arg) {
  static_cast<TaskLog*>(user)->saw(ntasks);
  std::atomic<int64_t> next{0};
  std::vector<std::thread> workers;
  for (int64_t w = 0; w < std::min<int64_t>(ntasks, 4); ++w) {
    workers.emplace_back([&] {
      for (int64_t i = next++; i < ntasks; i = next++) task(arg, i);
    });
  }
  for (std::thread& worker : workers) worker.join();
}

struct Runner {
  const char* name;
  idelta_parallel_for run;
};
constexpr Runner kRunners[] = {{"the pool", nullptr}, {"backwards", run_backwards}, {"std::thread", run_on_threads}};

void expect_runner_changes_nothing(const Bits& expected, const Problem& problem, const Runner& runner,
                                   int32_t threads) {
  SCOPED_TRACE(std::string(runner.name) + ", " + std::to_string(threads) + " threads, " + described(problem));
  TaskLog log;
  idelta_context_options options = context_options(forced_isa(), threads);
  options.parallel_for = runner.run;
  options.parallel_for_user = &log;
  const ContextPtr threaded = make_context(options);
  EXPECT_EQ(threads, idelta_context_threads(threaded.get()));
  expect_same_bits(expected, run_every_pass(threaded, problem));
}

Bits bits_on_one_thread(const Problem& problem) {
  return run_every_pass(make_context(context_options(forced_isa(), 1)), problem);
}

TEST_F(BitwiseTest, ThreadCountAndRunnerChangeNothing) {
  for (const Problem& problem : problems()) {
    const Bits expected = bits_on_one_thread(problem);
    for (const Runner& runner : kRunners) {
      for (const int32_t threads : {1, 2, 3, 5, 8}) {
        expect_runner_changes_nothing(expected, problem, runner, threads);
        if (HasFailure()) return;
      }
    }
  }
  for (const Problem& problem : large_problems()) {
    const Bits expected = bits_on_one_thread(problem);
    expect_runner_changes_nothing(expected, problem, kRunners[0], 2);
    expect_runner_changes_nothing(expected, problem, kRunners[0], 5);
    expect_runner_changes_nothing(expected, problem, kRunners[1], 8);
    expect_runner_changes_nothing(expected, problem, kRunners[2], 3);
  }
}

// false where the library was built without hwloc, which is told of the machine.
bool expect_machine_changes_nothing(const Bits& expected, const Problem& problem, const char* machine,
                                    int32_t threads) {
  SCOPED_TRACE(std::string(machine) + ", " + std::to_string(threads) + " threads, " + described(problem));
  const ScopedEnvironment topology("HWLOC_SYNTHETIC", machine);
  idelta_context* many = nullptr;
  const idelta_context_options options = context_options(forced_isa(), threads);
  const idelta_status status = idelta_context_create(&options, &many);
  if (status == IDELTA_UNSUPPORTED) return false;
  EXPECT_OK(status);
  expect_same_bits(expected, run_every_pass(ContextPtr(many), problem));
  return true;
}

// Machines of many domains: all threads of a made-up one in uneven domains.
TEST_F(BitwiseTest, DomainsChangeNothing) {
  constexpr const char* kTwoNodes = "numa:2 l3:2 core:2 pu:1";
  constexpr const char* kFourCaches = "numa:1 l3:4 core:3 pu:1";
  const ScopedEnvironment bind("IDELTA_BIND", "1");
  for (const Problem& problem : problems()) {
    const Bits expected = bits_on_one_thread(problem);
    for (const char* machine : {kTwoNodes, kFourCaches}) {
      for (const int32_t threads : {5, 8, 12}) {
        if (!expect_machine_changes_nothing(expected, problem, machine, threads)) GTEST_SKIP() << "no hwloc";
        if (HasFailure()) return;
      }
    }
  }
  for (const Problem& problem : large_problems()) {
    const Bits expected = bits_on_one_thread(problem);
    expect_machine_changes_nothing(expected, problem, kTwoNodes, 8);
    expect_machine_changes_nothing(expected, problem, kFourCaches, 5);
    expect_machine_changes_nothing(expected, problem, kFourCaches, 12);
  }
}

// Each pass really is cut into tasks: otherwise the test above compares one thread with itself.
TEST_F(BitwiseTest, LargeProblemsAreCutIntoTasks) {
  const int64_t m = 400, n = reduced() ? 257 : 794;
  TaskLog log;
  idelta_context_options options = context_options(forced_isa(), 4);
  options.parallel_for = run_backwards;
  options.parallel_for_user = &log;
  const ContextPtr threaded = make_context(options);
  Random random(1);
  const Matrix x(m, n), y(m, n), D(n, n);
  fill_uniform(x, random), fill_delta(D, random);
  const DeltaPtr delta = pack(threaded, D);
  const idelta_forward_args forward = forward_args(x, y);
  const idelta_backward_data_args backward_data = backward_data_args(x, x, y);
  const idelta_backward_weights_args backward_weights = backward_weights_args(x, x, D, nullptr);
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  const idelta_update_args update = update_args(x, x, optimizer, D);
  const auto most_tasks = [&](idelta_status status) {
    EXPECT_OK(status);
    return log.most_tasks.exchange(0);
  };
  log.most_tasks = 0;
  EXPECT_GE(most_tasks(idelta_forward(threaded.get(), delta.get(), &forward)), 2);
  EXPECT_GE(most_tasks(idelta_backward_data(threaded.get(), delta.get(), &backward_data)), 2);
  if (stores_int8()) return;
  EXPECT_GE(most_tasks(idelta_backward_weights(threaded.get(), &backward_weights)), 2);
  EXPECT_GE(most_tasks(idelta_update(threaded.get(), delta.get(), &update)), 2);
}

// ---- Batch -----------------------------------------------------------------------------------------------------

class BatchTest : public ContextTest {
 protected:
  BatchTest() {
    Random random(2);
    fill_uniform(x, random), fill_uniform(dy, random), fill_delta(D, random);
    delta = pack(context, D);
    run(0, kRows, whole_y, whole_dx);
  }
  // Both passes on rows [first, last), the rows of y in their own place.
  void run(int64_t first, int64_t last, const Matrix& y, const Matrix& dx) {
    idelta_forward_args forward = forward_args(x, y, kActivations[IDELTA_ACTIVATION_TANH]);
    forward.m = last - first;
    forward.x += first * kWidth;
    forward.y += first * kWidth;
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
    idelta_backward_data_args backward = backward_data_args(dy, y, dx, forward.activation);
    backward.m = forward.m;
    backward.dy += first * kWidth;
    backward.y += first * kWidth;
    backward.dx += first * kWidth;
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
  }
  static constexpr int64_t kRows = 43, kWidth = 101;
  Matrix x{kRows, kWidth}, dy{kRows, kWidth}, D{kWidth, kWidth}, whole_y{kRows, kWidth}, whole_dx{kRows, kWidth};
  DeltaPtr delta;
};

TEST_F(BatchTest, EverySplitInTwoGivesTheBitsOfTheWhole) {
  for (int64_t split = 1; split < kRows; ++split) {
    const Matrix y(kRows, kWidth), dx(kRows, kWidth);
    run(0, split, y, dx);
    run(split, kRows, y, dx);
    ASSERT_EQ(whole_y.element_bits(), y.element_bits()) << "forward, split after " << split;
    ASSERT_EQ(whole_dx.element_bits(), dx.element_bits()) << "backward_data, split after " << split;
  }
}

TEST_F(BatchTest, RowByRowGivesTheBitsOfTheWhole) {
  const Matrix y(kRows, kWidth), dx(kRows, kWidth);
  for (int64_t row = 0; row < kRows; ++row) run(row, row + 1, y, dx);
  EXPECT_EQ(whole_y.element_bits(), y.element_bits());
  EXPECT_EQ(whole_dx.element_bits(), dx.element_bits());
}

// Which panels of zeros are skipped must not depend on the batch: NaN and Inf show it.
TEST_F(BatchTest, ZeroPanelsAreSkippedForEverySplitAlike) {
  for (int64_t i = 0; i < kWidth; ++i) {
    for (int64_t j = 0; j < kWidth; ++j) {
      if (j < 48 || (j < 96 && i >= 48)) D(i, j) = 0.0f;
    }
  }
  fill(x, [] { return std::numeric_limits<float>::infinity(); });
  delta = pack(context, D);
  run(0, kRows, whole_y, whole_dx);
  const Matrix y(kRows, kWidth), dx(kRows, kWidth);
  for (int64_t row = 0; row < kRows; ++row) run(row, row + 1, y, dx);
  for (int64_t j = 0; j < kWidth; ++j) {
    ASSERT_EQ(std::isnan(whole_y(0, j)), std::isnan(y(0, j))) << "column " << j << " of one row and of " << kRows;
  }
}

// Where the large batch crosses cache blocks and threads and a single row does not.
TEST_F(BitwiseTest, RowOfALargeBatchHasTheBitsOfThatRowAlone) {
  const int64_t m = reduced() ? 150 : 900, n = reduced() ? 130 : 794;
  Random random(3);
  const Matrix x(m, n), D(n, n), y(m, n);
  fill_uniform(x, random), fill_delta(D, random);
  const DeltaPtr delta = pack(context, D);
  const idelta_forward_args all = forward_args(x, y);
  ASSERT_OK(idelta_forward(context.get(), delta.get(), &all));
  for (const int64_t row : {int64_t{0}, int64_t{1}, m / 3, m / 2, m - 1}) {
    const Matrix alone(1, n);
    idelta_forward_args one = forward_args(alone, alone);
    one.x = x.data() + row * n;
    one.ldx = n;
    ASSERT_OK(idelta_forward(context.get(), delta.get(), &one));
    for (int64_t j = 0; j < n; ++j) ASSERT_EQ(bits(alone(0, j)), bits(y(row, j))) << "row " << row << " column " << j;
  }
}

// ---- ISAs ------------------------------------------------------------------------------------------------------

TEST_F(BitwiseTest, EveryIsaGivesTheBitsOfTheScalarReference) {
  if (forced_isa() == IDELTA_ISA_SCALAR) GTEST_SKIP() << "scalar is the reference; PromisedChain tests it";
  if (forced_isa() == IDELTA_ISA_AMX && forced_format().rounds_x && !stores_int8()) {
    GTEST_SKIP() << "tiles add in an order of their own";
  }
  for (const idelta_activation activation : kActivations) {
    for (const float identity_scale : {1.0f, 0.3f}) {
      for (const auto& [m, n] : {std::pair<int64_t, int64_t>{3, 1}, {17, 50}, {33, 129}}) {
        // 1e-20: sums and squares fall below the normal range, 1e-37: some operands do; 30: tanh saturates.
        for (const float magnitude : {1.0f, 30.0f, 1e-20f, 1e-37f}) {
          SCOPED_TRACE("activation " + std::to_string(activation.kind) + " a " + std::to_string(identity_scale) +
                       " n " + std::to_string(n) + " |x| " + std::to_string(magnitude));
          const Problem problem{m, n, activation, identity_scale, magnitude};
          expect_same_bits(run_every_pass(make_context(context_options(IDELTA_ISA_SCALAR)), problem),
                           run_every_pass(context, problem));
          if (HasFailure()) return;
        }
      }
    }
  }
}

// The header: one fused multiply-add chain an output element, ascending, from zero (from beta dD for the weights), then
// the bias, then a x. The scales here multiply exactly, so the last step rounds once however it is written.
TEST_F(BitwiseTest, PromisedChain) {
  if (forced_format().rounds_x) GTEST_SKIP() << "promised of x as it is only";
  const int64_t m = 9, n = 75;
  for (const float identity_scale : kIdentityScales) {
    for (const float magnitude : {1.0f, 1e-20f}) {
      Random random(4);
      const Matrix x(m, n), D(n, n), bias(1, n), y(m, n), contribution(m, n), dx(m, n), dD(n, n);
      fill_uniform(x, random, magnitude), fill_uniform(D, random, magnitude),
          fill_uniform(bias, random, magnitude * magnitude);
      const DeltaPtr delta = pack(context, D, delta_options(identity_scale));
      idelta_forward_args forward = forward_args(x, y);
      forward.bias = bias.data();
      forward.contribution = contribution.data();
      forward.ldc = n;
      ASSERT_OK(idelta_forward(context.get(), delta.get(), &forward));
      const idelta_backward_data_args backward_data = backward_data_args(x, x, dx);
      ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &backward_data));
      fill_uniform(dD, random);
      const Matrix dD_before = dD.copy();
      idelta_backward_weights_args backward_weights = backward_weights_args(x, x, dD, nullptr);
      backward_weights.beta = 0.5f;
      ASSERT_OK(idelta_backward_weights(context.get(), &backward_weights));

      const ScopedMxcsr as_inside_the_calls(kFlushingMxcsr);
      const Dense kept = stored(D);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          float sum = 0, back = 0;
          for (int64_t k = 0; k < n; ++k) {
            sum = std::fma(x(i, k), static_cast<float>(kept(k, j)), sum);
            back = std::fma(x(i, k), static_cast<float>(kept(j, k)), back);
          }
          sum += bias(0, j);
          ASSERT_EQ(bits(sum), bits(contribution(i, j))) << i << ", " << j << " a " << identity_scale;
          ASSERT_EQ(identity_scale * x(i, j) + sum, y(i, j)) << i << ", " << j << " a " << identity_scale;
          ASSERT_EQ(identity_scale * x(i, j) + back, dx(i, j)) << i << ", " << j << " a " << identity_scale;
        }
      }
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          float sum = 0.5f * dD_before(i, j);
          for (int64_t k = 0; k < m; ++k) sum = std::fma(x(k, i), x(k, j), sum);
          ASSERT_EQ(bits(sum), bits(dD(i, j))) << "dD " << i << ", " << j;
        }
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
