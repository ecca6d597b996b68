// Denormals are zero inside every call, on every thread that works for it, whatever the caller's own mode is; and the
// caller's mode is as it was afterwards.
#include <atomic>
#include <cmath>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"
#include "support/runs.h"

namespace idelta_test {
namespace {

class FloatModeTest : public ContextTest {
 protected:
  void SetUp() override {
    if (!kHasMxcsr) GTEST_SKIP() << "the mode is set on x86 only";
  }
};

// Denormals kept, flushed, half of each; rounding upwards; exception flags raised.
constexpr uint32_t kModes[] = {kDefaultMxcsr, kFlushingMxcsr, 0x1fc0, 0x9f80, 0x5f80, 0x1fa1, 0x9fe5};

// A caller's threads, whose mode the library must not change either.
void run_on_threads(void* changed, int64_t ntasks, void (*task)(void*, int64_t), void* arg) {
  std::vector<std::thread> workers;
  workers.reserve(static_cast<size_t>(ntasks));
  for (int64_t i = 0; i < ntasks; ++i) {
    workers.emplace_back([=] {
      set_mxcsr(kDefaultMxcsr);
      task(arg, i);
      if (mxcsr() != kDefaultMxcsr) *static_cast<std::atomic<bool>*>(changed) = true;
    });
  }
  for (std::thread& worker : workers) worker.join();
}

struct Runner {
  const char* name;
  int32_t threads;
  idelta_parallel_for run;
};
constexpr Runner kRunners[] = {
    {"one thread", 1, nullptr}, {"the pool", 3, nullptr}, {"the caller's", 3, run_on_threads}};

ContextPtr context_on(const Runner& runner, std::atomic<bool>& changed) {
  idelta_context_options options = context_options(forced_isa(), runner.threads);
  options.parallel_for = runner.run;
  options.parallel_for_user = &changed;
  return make_context(options);
}

TEST_F(FloatModeTest, EveryCallLeavesTheCallersMode) {
  const int64_t m = 60, n = 200;
  Random random(1);
  const Matrix x(m, n), y(m, n), D(n, n), back(n, n);
  fill_uniform(x, random), fill_delta(D, random);
  std::vector<float> panels(static_cast<size_t>((n + 64) * n));
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  for (const Runner& runner : kRunners) {
    std::atomic<bool> changed{false};
    const ContextPtr owner = context_on(runner, changed);
    const DeltaPtr delta = pack(owner, D);
    const idelta_context* c = owner.get();
    idelta_delta* d = delta.get();
    const auto forward = forward_args(x, y);
    auto nothing = forward;
    nothing.x = nullptr;
    const auto backward_data = backward_data_args(x, x, y);
    const auto weights = backward_weights_args(x, x, back, nullptr);
    const auto update = update_args(x, x, optimizer, back);
    idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
    size_t bytes = 0;
    double norm = 0;
    const std::pair<const char*, std::function<idelta_status()>> calls[] = {
        {"context", [&] { return idelta_context_create(nullptr, nullptr); }},
        {"repack", [&] { return idelta_delta_repack(c, d, D.data(), n); }},
        {"unpack", [&] { return idelta_delta_unpack(c, d, back.data(), n); }},
        {"panels_pack", [&] { return idelta_panels_pack(c, n, D.data(), n, panels.data()); }},
        {"panels_unpack", [&] { return idelta_panels_unpack(c, n, panels.data(), back.data(), n); }},
        {"info", [&] { return idelta_delta_info(c, d, &info); }},
        {"norm bound", [&] { return idelta_spectral_norm_bound(c, n, D.data(), n, 1, &norm); }},
        {"query", [&] { return idelta_forward_workspace_bytes(c, d, m, &bytes); }},
        {"forward", [&] { return idelta_forward(c, d, &forward); }},
        {"refused forward", [&] { return idelta_forward(c, d, &nothing); }},
        {"backward_data", [&] { return idelta_backward_data(c, d, &backward_data); }},
        {"backward_weights", [&] { return idelta_backward_weights(c, &weights); }},
        {"update", [&] { return idelta_update(c, d, &update); }},
        {"sidmm", [&] { return idelta_sidmm(c, 0, m, n, 1, 1, x.data(), n, D.data(), n, 0, y.data(), n); }},
        {"sidmv", [&] { return idelta_sidmv(c, 0, n, 1, 1, x.data(), 1, D.data(), n, 0, y.data(), 1); }},
    };
    for (const uint32_t mode : kModes) {
      for (const auto& [name, call] : calls) {
        const ScopedMxcsr before(mode);
        call();
        const uint32_t after = mxcsr();
        EXPECT_EQ(mode, after) << name << " on " << runner.name;
      }
    }
    EXPECT_FALSE(changed) << "of a thread of the caller's";
  }
}

// Sums that leave the normal range, on the way down and for good.
TEST_F(FloatModeTest, NeitherModeNorThreadsNorRunnerChangeABit) {
  for (const float magnitude : {1e-20f, 1e-37f}) {
    Bits expected;
    for (const Runner& runner : kRunners) {
      std::atomic<bool> changed{false};
      const ContextPtr owner = context_on(runner, changed);
      for (const uint32_t mode : kModes) {
        const Bits bits = run_every_pass(owner, {90, 150, kIdentity, 0.5f, magnitude, mode});
        if (expected.empty()) expected = bits;
        SCOPED_TRACE(std::string(runner.name) + ", mode " + std::to_string(mode));
        expect_same_bits(expected, bits);
      }
    }
  }
}

TEST_F(FloatModeTest, MomentumEndsAtZero) {
  const int64_t n = 40;
  const Matrix nothing(1, n), D(n, n), velocity(n, n);
  fill(nothing, [] { return 0.0f; });
  fill(D, [] { return 0.25f; });
  fill(velocity, [] { return 0x1p-125f; });
  const DeltaPtr delta = pack(context, D);
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = IDELTA_OPTIMIZER_MOMENTUM;
  optimizer.momentum = 0.25f;
  idelta_update_args update = update_args(nothing, nothing, optimizer, D);
  update.state[0] = velocity.data();
  ASSERT_OK(idelta_update(context.get(), delta.get(), &update));
  EXPECT_EQ(0.0f, velocity(0, 0));
  EXPECT_EQ(0.0f, velocity(n - 1, n - 1));
}

// The header's bound: 2^-125 (n + 3 + sum |x_k| + |D_kj| + |a| + |x_j|) for all that becomes zero.
TEST_F(FloatModeTest, UnderflowStaysWithinTheDocumentedBound) {
  const int64_t m = 9, n = 70;
  for (const float x_magnitude : {1.0f, 1e-19f, 1e-37f}) {
    for (const float magnitude : {1.0f, 1e-19f, 1e-37f}) {
      Random random(2);
      const Matrix x(m, n), D(n, n), bias(1, n), y(m, n);
      fill_uniform(x, random, x_magnitude), fill_uniform(D, random, magnitude), fill_uniform(bias, random, 1e-38f);
      const float a = 0.75f;
      const DeltaPtr delta = pack(context, D, delta_options(a));
      idelta_forward_args forward = forward_args(x, y);
      forward.bias = bias.data();
      ASSERT_OK(idelta_forward(context.get(), delta.get(), &forward));
      Bounded expected = forward_reference(x, D, bias.data(), a, kIdentity).y;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double operands = static_cast<double>(n) + 3 + std::abs(a) + std::abs(x(i, j));
          for (int64_t k = 0; k < n; ++k) operands += std::abs(x(i, k)) + std::abs(D(k, j));
          expected.bound(i, j) += 0x1p-125 * operands;
        }
      }
      expect_within(y, expected, "y");
    }
  }
}

}  // namespace
}  // namespace idelta_test
