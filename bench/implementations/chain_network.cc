// idelta's kernels called by hand, dense in fp32: a call for each layer, or one for all of them.
#include "bench/implementations/layered_labeller.h"
#include "idelta/idelta.hpp"

namespace idelta::bench {
namespace {

Context context_of(const NetworkProblem& problem) { return Context::with(IDELTA_ISA_AUTO, problem.threads); }

class KernelsLabeller : public LayeredLabeller {
 public:
  KernelsLabeller(const NetworkProblem& problem, int64_t batch)
      : LayeredLabeller(problem, batch), context_(context_of(problem)) {
    DeltaOptions options = kDeltaOptions;
    options.format = IDELTA_FORMAT_F32;
    options.passes = IDELTA_PASS_FORWARD;
    options.identity_scale = problem.identity_scale;
    for (const Buffer& D : problem.delta) deltas_.emplace_back(context_, problem.n, D.data(), problem.n, options);
  }

 protected:
  // Of one layer; rows and their place are the caller's.
  ForwardArgs layer(int64_t l) const {
    ForwardArgs args{.bias = problem_.bias[size_t(l)].data()};
    if (!problem_.is_linear(l)) args.activation = problem_.activation;
    return args;
  }

  Context context_;
  std::vector<Delta> deltas_;
};

class CallsLabeller final : public KernelsLabeller {
  using KernelsLabeller::KernelsLabeller;

  const float* forward(int64_t rows) override {
    const int64_t n = problem_.n;
    for (int64_t l = 0; l < problem_.layers; ++l) {
      ForwardArgs args = layer(l);
      args.m = rows, args.x = input(l), args.ldx = n, args.y = output(l), args.ldy = n;
      deltas_[size_t(l)].forward(args);
    }
    return output(problem_.layers - 1);
  }
};

class ChainLabeller final : public KernelsLabeller {
 public:
  ChainLabeller(const NetworkProblem& problem, int64_t batch) : KernelsLabeller(problem, batch) {
    for (int64_t l = 0; l < problem.layers; ++l) {
      chain_.push_back(&deltas_[size_t(l)]);
      args_.push_back(layer(l));
    }
    args_.front().x = input(0), args_.front().ldx = problem.n;
    args_.back().y = output(0), args_.back().ldy = problem.n;
  }

 private:
  const float* forward(int64_t rows) override {
    args_.front().m = rows;
    Delta::forward_chain(chain_, args_);
    return output(0);
  }

  std::vector<const Delta*> chain_;
  std::vector<ForwardArgs> args_;
};

template <class Made>
NetworkEntry entry(const char* name) {
  const idelta_isa isa = Context::with(IDELTA_ISA_AUTO, 1).isa();
  return {.name = name,
          .format = "f32",
          .isa = idelta_isa_name(isa),
          .claim = Claim::kExact,
          .make = [](const NetworkProblem& problem, size_t /*variant*/, int64_t batch) -> std::unique_ptr<Labeller> {
            return std::make_unique<Made>(problem, batch);
          }};
}

}  // namespace

std::vector<NetworkEntry> kernels_network_entries() {
  return {entry<CallsLabeller>("idelta_calls"), entry<ChainLabeller>("idelta_chain")};
}

}  // namespace idelta::bench
