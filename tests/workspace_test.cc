// Workspaces: exactly what the query returns is enough and nothing outside it is touched; less is an error; null works.
// allocations_test.cc counts what the library allocates then.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/runs.h"

namespace idelta_test {
namespace {

// One of the passes as a call that takes a workspace, and its query.
struct Pass {
  const char* name;
  std::function<idelta_status(size_t* bytes)> query;
  std::function<idelta_status(void* workspace, size_t bytes)> call;
};

class WorkspaceTest : public ContextTest {
 protected:
  // Every pass on m rows; outputs are reset by the caller through clear().
  struct Work {
    Work(int64_t m, int64_t n, int64_t ldx)
        : x(m, n, ldx), y(m, n), dx(m, n), D(n, n), dD(n, n), db(1, n), D_panels(1, 1) {
      Random random(1);
      fill_uniform(x, random), fill_delta(D, random);
      optimizer.learning_rate = 0;  // so that update can be repeated
    }
    std::vector<uint32_t> results() const {
      std::vector<uint32_t> all;
      for (const Matrix* out : {&y, &dx, &dD, &db}) {
        for (const uint32_t each : out->element_bits()) all.push_back(each);
      }
      return all;
    }
    Matrix x, y, dx, D, dD, db, D_panels;
    idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
    DeltaPtr delta;
  };

  std::vector<Pass> passes(const ContextPtr& owner, Work& w) {
    const int64_t m = w.x.rows(), n = w.x.cols();
    const idelta_context* c = owner.get();
    w.delta = pack(owner, w.D);
    idelta_delta* d = w.delta.get();
    int64_t floats = 0;
    EXPECT_OK(idelta_panels_floats(c, n, &floats));
    w.D_panels = Matrix(1, floats);
    EXPECT_OK(idelta_panels_pack(c, n, w.D.data(), n, w.D_panels.data()));
    const auto with = [](auto args, void* workspace, size_t bytes) {
      args.workspace = workspace;
      args.workspace_bytes = bytes;
      return args;
    };
    const std::vector<Pass> all = {
        {"forward", [=](size_t* bytes) { return idelta_forward_workspace_bytes(c, d, m, bytes); },
         [=, &w](void* p, size_t b) {
           const auto args = with(forward_args(w.x, w.y), p, b);
           return idelta_forward(c, d, &args);
         }},
        {"backward_data", [=](size_t* bytes) { return idelta_backward_data_workspace_bytes(c, d, m, bytes); },
         [=, &w](void* p, size_t b) {
           const auto args = with(backward_data_args(w.x, w.x, w.dx, kActivations[IDELTA_ACTIVATION_TANH]), p, b);
           return idelta_backward_data(c, d, &args);
         }},
        {"backward_weights", [=](size_t* bytes) { return idelta_backward_weights_workspace_bytes(c, m, n, bytes); },
         [=, &w](void* p, size_t b) {
           const auto args = with(backward_weights_args(w.x, w.x, w.dD, w.db.data()), p, b);
           return idelta_backward_weights(c, &args);
         }},
        {"update", [=](size_t* bytes) { return idelta_update_workspace_bytes(c, d, m, bytes); },
         [=, &w](void* p, size_t b) {
           const auto args = with(update_args(w.x, w.x, w.optimizer, w.D), p, b);
           return idelta_update(c, d, &args);
         }},
        {"update of panels", [=](size_t* bytes) { return idelta_update_workspace_bytes(c, d, m, bytes); },
         [=, &w](void* p, size_t b) {
           auto args = with(update_args(w.x, w.x, w.optimizer, w.D_panels), p, b);
           args.order = IDELTA_ORDER_PANELS;
           return idelta_update(c, d, &args);
         }},
        {"forward after updates", [=](size_t* bytes) { return idelta_forward_workspace_bytes(c, d, m, bytes); },
         [=, &w](void* p, size_t b) {
           const auto args = with(forward_args(w.x, w.y), p, b);
           return idelta_forward(c, d, &args);
         }},
    };
    return {all.begin(), stores_int8() ? all.begin() + 2 : all.end()};  // those that do not train
  }
};

TEST_F(WorkspaceTest, ExactlyTheQueriedBytesAreEnough) {
  for (const int32_t threads : {1, 2, 8}) {
    for (const char* caches : {"", kToyCaches, "4096,40000,100000"}) {
      const ScopedEnvironment environment(*caches != 0 ? "IDELTA_CACHES" : "IDELTA_TEST_NO_CACHES", caches);
      const ContextPtr owner = make_context(context_options(forced_isa(), threads));
      // The query does not know the strides: a page apart x is copied.
      using Sizes = std::array<int64_t, 3>;
      const Sizes largest = reduced() ? Sizes{160, 110, 110} : Sizes{500, 200, 200};
      for (const auto& [m, n, ldx] : {Sizes{1, 1, 1}, {1, 300, 300}, {7, 33, 33}, {130, 97, 1024}, largest}) {
        Work own(m, n, ldx), given(m, n, ldx);
        const std::vector<Pass> expected = passes(owner, own), pass = passes(owner, given);
        for (size_t i = 0; i < pass.size(); ++i) {
          SCOPED_TRACE(std::string(pass[i].name) + " m " + std::to_string(m) + " n " + std::to_string(n) + " threads " +
                       std::to_string(threads) + " caches " + caches);
          ASSERT_OK(expected[i].call(nullptr, 0));
          size_t bytes = 0;
          ASSERT_OK(pass[i].query(&bytes));
          for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
            const GuardBuffer workspace(bytes, flush, 64);
            ASSERT_OK(pass[i].call(workspace.data(), bytes));
            EXPECT_TRUE(workspace.slack_untouched());
          }
        }
        EXPECT_EQ(own.results(), given.results()) << "m " << m << " n " << n;
        if (HasFailure()) return;
      }
    }
  }
}

// Floats of its workspace that an update writes, with a bias or without; x and dz are never zero.
int64_t floats_written(const ContextPtr& context, bool bias, bool transposed) {
  const int64_t m = 40, n = 70;
  Random random(2);
  const Matrix x(m, n), D(n, n), b(1, n);
  fill_uniform(x, random), fill_delta(D, random), fill_uniform(b, random);
  const DeltaPtr delta = pack(context, D, delta_options(1, IDELTA_PASS_BOTH, transposed));
  const idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  idelta_update_args args = update_args(x, x, optimizer, D);
  args.bias = bias ? b.data() : nullptr;
  EXPECT_OK(idelta_update_workspace_bytes(context.get(), delta.get(), m, &args.workspace_bytes));
  const GuardBuffer workspace(args.workspace_bytes, Flush::kLeft, 64);
  const auto floats = static_cast<float*>(workspace.data());
  const auto count = static_cast<int64_t>(args.workspace_bytes / sizeof(float));
  constexpr uint32_t kPoison = 0x7fc0ffee;
  std::fill_n(floats, count, std::bit_cast<float>(kPoison));
  args.workspace = workspace.data();
  EXPECT_OK(idelta_update(context.get(), delta.get(), &args));
  return std::count_if(floats, floats + count, [](float f) { return std::bit_cast<uint32_t>(f) != kPoison; });
}

// A bias' gradient is nobody's wish where there is no bias.
TEST_F(WorkspaceTest, UpdateWithoutBiasSumsNoColumns) {
  if (stores_int8()) GTEST_SKIP() << "cannot be stepped";
  for (const bool transposed : {false, true}) {
    EXPECT_EQ(70, floats_written(context, true, transposed) - floats_written(context, false, transposed));
  }
}

TEST_F(WorkspaceTest, TooSmallOrMisalignedIsRefused) {
  Work work(64, 70, 70);
  int needed = 0;
  for (const Pass& pass : passes(context, work)) {
    SCOPED_TRACE(pass.name);
    size_t bytes = 0;
    ASSERT_OK(pass.query(&bytes));
    if (bytes == 0) continue;
    ++needed;
    const GuardBuffer workspace(bytes + 4, Flush::kLeft, 64);
    const auto refused = [&](void* memory, size_t given, const std::string& word) {
      EXPECT_EQ(IDELTA_INVALID_ARGUMENT, pass.call(memory, given));
      EXPECT_NE(nullptr, std::strstr(idelta_last_error(), word.c_str())) << word << ": " << idelta_last_error();
    };
    // What the query of a weights pass returns is enough for every format, and rounded operands take half of it.
    const size_t too_few = forced_format().rounds_x ? bytes / 4 : bytes - 1;
    refused(workspace.data(), too_few, std::to_string(too_few));
    refused(workspace.data(), too_few, "workspace_bytes");
    refused(static_cast<std::byte*>(workspace.data()) + 4, bytes, "workspace");
  }
  EXPECT_GE(needed, stores_int8() ? 2 : 3) << "no pass needs a workspace: nothing was tested";
  EXPECT_TRUE(work.y.untouched() && work.dx.untouched() && work.dD.untouched() && work.db.untouched());
}

// A buffer made for m rows serves fewer, so that a caller can ask once for the largest batch.
TEST_F(WorkspaceTest, GrowsWithTheRows) {
  Work work(1, 90, 90);
  work.delta = pack(context, work.D);
  size_t before = 0;
  for (int64_t m = 0; m <= 600; m = m < 40 ? m + 1 : m + 37) {
    size_t bytes = 0;
    ASSERT_OK(idelta_forward_workspace_bytes(context.get(), work.delta.get(), m, &bytes));
    ASSERT_GE(bytes, before) << "m " << m;
    before = bytes;
  }
}

}  // namespace
}  // namespace idelta_test
