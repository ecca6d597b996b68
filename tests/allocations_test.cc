// From the second call on a thread asks for no memory: malloc's family is counted from below, what the library takes
// for itself included.
#include "support/allocations.h"

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "support/low_rank.h"

namespace idelta_test {
namespace {

struct Call {
  std::string name;
  std::function<idelta_status()> call;
};

// Every pass of one context on one problem.
class EveryCall {
 public:
  EveryCall(int32_t threads, int64_t m, int64_t n)
      : context_(make_context(context_options(forced_isa(), threads))), m_(m), n_(n) {
    Random random(1);
    fill_uniform(x_, random), fill_delta(D_, random), fill_uniform(bias_, random);
    EXPECT_OK(idelta_panels_pack(context_.get(), n, D_.data(), n, D_panels_.data()));
    delta_ = pack(context_, D_), stepped_ = pack(context_, D_);
    low_rank_ = pack(context_, D_, low_rank_options(n / 8 + 1));
    optimizer_.learning_rate = 0;  // so that D stays small
  }

  std::vector<Call> calls() {
    std::vector<Call> all;
    const idelta_context* c = context_.get();
    add_passes("", delta_.get(), all);
    add_passes(" of low_rank", low_rank_.get(), all);
    const auto weights = backward_weights_args(x_, x_, dD_, db_.data());
    all.push_back({"backward_weights", [=] { return idelta_backward_weights(c, &weights); }});
    for (const idelta_order order : {IDELTA_ORDER_ROWS, IDELTA_ORDER_PANELS}) {
      auto update = update_args(x_, x_, optimizer_, order == IDELTA_ORDER_ROWS ? D_ : D_panels_);
      update.order = order;
      all.push_back({order == IDELTA_ORDER_ROWS ? "update" : "update of panels",
                     [=, this] { return idelta_update(c, stepped_.get(), &update); }});
    }
    add_chain(all);
    // Row errors would be bounded anew after each step.
    const auto next = forward_args(x_, y_);
    all.push_back({"forward after a step", [=, this] { return idelta_forward(c, stepped_.get(), &next); }});
    return all;
  }

 private:
  void add_passes(const std::string& of, const idelta_delta* delta, std::vector<Call>& all) const {
    const idelta_context* c = context_.get();
    const auto add = [&](const char* what, const idelta_forward_args& args) {
      all.push_back({what + of, [=] { return idelta_forward(c, delta, &args); }});
    };
    idelta_forward_args forward = forward_args(x_, y_);
    add("forward", forward);
    forward.bias = bias_.data();
    forward.contribution = contribution_.data();
    forward.ldc = n_;
    forward.row_error = row_error_.data();
    forward.row_norm = row_norm_.data();
    add("forward with all outputs", forward);
    const auto backward = backward_data_args(x_, x_, dx_, kActivations[IDELTA_ACTIVATION_TANH]);
    all.push_back({"backward_data" + of, [=] { return idelta_backward_data(c, delta, &backward); }});
  }

  void add_chain(std::vector<Call>& all) {
    deltas_ = {delta_.get(), low_rank_.get()};
    chain_ = {forward_args(x_, y_), forward_args(x_, y_)};
    chain_[0].y = nullptr;
    chain_[1].row_error = row_error_.data();
    all.push_back({"chain", [this] { return idelta_chain_forward(context_.get(), 2, deltas_.data(), chain_.data()); }});
  }

  static int64_t floats_of_panels(const ContextPtr& context, int64_t n) {
    int64_t floats = 0;
    EXPECT_OK(idelta_panels_floats(context.get(), n, &floats));
    return floats;
  }

  ContextPtr context_;
  int64_t m_, n_;
  Matrix x_{m_, n_}, y_{m_, n_}, contribution_{m_, n_}, dx_{m_, n_}, D_{n_, n_}, dD_{n_, n_}, bias_{1, n_}, db_{1, n_},
      row_error_{1, m_}, row_norm_{1, m_}, D_panels_{1, floats_of_panels(context_, n_)};
  std::vector<const idelta_delta*> deltas_;
  std::vector<idelta_forward_args> chain_;
  idelta_optimizer optimizer_ = IDELTA_OPTIMIZER_INIT;
  DeltaPtr delta_, stepped_, low_rank_;
};

// Requests of `count` calls, one after another as in training; first those of a thread's first calls, then the others'.
void expect_steady_calls_need_no_memory(const std::vector<Call>& all, int64_t count) {
  int64_t first = 0;
  const auto requests_of = [](const Call& call) {
    const int64_t before = allocations().requests;
    const idelta_status status = call.call();
    const int64_t made = allocations().requests - before;
    EXPECT_OK(status) << call.name;
    return made;
  };
  for (int round = 0; round < 2; ++round) {
    for (const Call& call : all) first += requests_of(call);
  }
  EXPECT_GT(first, 0) << "the first call asks for memory: is anything counted at all?";
  for (int64_t round = 0; round < count; ++round) {
    for (const Call& call : all) ASSERT_EQ(0, requests_of(call)) << call.name << ", call " << round;
  }
}

TEST(Allocations, AreCounted) {
  const Allocations before = allocations();
  const std::vector<float> some(1000);
  EXPECT_GT(allocations().requests, before.requests);
  EXPECT_GT(allocations().held, before.held);
}

TEST(Allocations, ThousandSteadyCallsNeedNone) {
  for (const int32_t threads : {1, 2}) {
    EveryCall small(threads, 9, 40);
    // A thread of its own, whose memory for workspaces neither packing nor an earlier test has grown.
    std::thread([&] { expect_steady_calls_need_no_memory(small.calls(), 1000); }).join();
  }
}

// Enough for blocks and for tasks.
TEST(Allocations, LargeSteadyCallsNeedNone) {
  for (const int32_t threads : {1, 2}) {
    EveryCall large(threads, reduced() ? 80 : 200, reduced() ? 150 : 300);
    std::thread([&] { expect_steady_calls_need_no_memory(large.calls(), 3); }).join();
  }
}

// Without threads, which might be made meanwhile. The thread's own memory may grow in the first call.
int64_t allocations_of_sidmv(int64_t n, int64_t incx, int64_t incy, float alpha, float beta) {
  const ContextPtr context = make_context(context_options(forced_isa(), 1));
  const std::vector<float> x(static_cast<size_t>(n * 3), 1.0f), D(static_cast<size_t>(n * n), 0.01f);
  std::vector<float> y(static_cast<size_t>(n * 3), 1.0f);
  int64_t before = 0;
  for (int call = 0; call < 2; ++call) {
    before = allocations().requests;
    EXPECT_OK(idelta_sidmv(context.get(), 0, n, alpha, 1, x.data(), incx, D.data(), n, beta, y.data(), incy));
  }
  return allocations().requests - before;
}

TEST(Allocations, SidmvNeedsNone) {
  for (const int64_t n : {1, 33, 300}) {
    for (const int64_t incx : {1, 2, -1}) {
      for (const int64_t incy : {1, -3}) {
        for (const float beta : {0.0f, 0.5f}) {
          EXPECT_EQ(0, allocations_of_sidmv(n, incx, incy, 2.0f, beta)) << n << ", " << incx << ", " << incy;
        }
        EXPECT_EQ(0, allocations_of_sidmv(n, incx, incy, 0.0f, 0.5f)) << "alpha 0";
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
