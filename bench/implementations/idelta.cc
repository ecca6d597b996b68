// The library itself: D packed once, the library's own workspace, optimiser and repacking fused in idelta_update.
#include "bench/implementations/idelta.h"

#include <map>
#include <stdexcept>
#include <utility>

namespace idelta::bench {

namespace {

constexpr idelta_activation kHardTanh = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};

void check(idelta_status status) {
  if (status == IDELTA_OK) return;
  throw std::runtime_error(std::string("idelta: ") + idelta_status_name(status) + ": " + idelta_last_error());
}

struct DestroyContext {
  void operator()(idelta_context* context) const { idelta_context_destroy(context); }
};

}  // namespace

const idelta_context* context_for(idelta_isa isa, int threads) {
  static std::map<std::pair<idelta_isa, int>, std::unique_ptr<idelta_context, DestroyContext>> contexts;
  auto& slot = contexts[{isa, threads}];
  if (slot == nullptr) {
    idelta_context_options options = IDELTA_CONTEXT_OPTIONS_INIT;
    options.isa = isa;
    options.threads = threads;
    idelta_context* context = nullptr;
    check(idelta_context_create(&options, &context));
    slot.reset(context);
  }
  return slot.get();
}

Idelta::Idelta(const Problem& problem, const Inputs& inputs, bool identity_in_weights, idelta_format format)
    : Implementation(problem, inputs, identity_in_weights),
      format_(format),
      context_(context_for(problem.isa, problem.threads)) {
  if (problem.pass == Pass::kBackwardWeights) return;
  idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
  options.format = format_;
  options.identity_scale = identity_in_weights ? 0.0f : 1.0f;
  options.passes = problem.pass == Pass::kForward        ? IDELTA_PASS_FORWARD
                   : problem.pass == Pass::kBackwardData ? IDELTA_PASS_BACKWARD_DATA
                                                         : IDELTA_PASS_BOTH;
  idelta_delta* delta = nullptr;
  check(idelta_delta_pack(context_, problem.n, memory_.weights.data(), problem.n, &options, &delta));
  delta_.reset(delta);
}

void Idelta::weights_changed() {
  check(idelta_delta_repack(context_, delta_.get(), memory_.weights.data(), problem_.n));
}

void Idelta::fetch_weights() {
  if (!problem_.trains() || format_ != IDELTA_FORMAT_F32) return;
  check(idelta_delta_unpack(context_, delta_.get(), memory_.weights.data(), problem_.n));
}

// x and D each by half a unit in the last place of bf16, of two of them for bf16x3; a hundredth for what is of second
// order.
double Idelta::operand_rounding() const {
  return format_ == IDELTA_FORMAT_BF16 ? 1.01 * 0x1p-7 : format_ == IDELTA_FORMAT_BF16X3 ? 1.01 * 3 * 0x1p-16 : 0.0;
}

void Idelta::run() {
  switch (problem_.pass) {
    case Pass::kForward:
      return forward();
    case Pass::kBackwardData:
      return backward_data();
    case Pass::kBackwardWeights:
      return backward_weights();
    case Pass::kUpdate:
      return update();
    case Pass::kTrainStep:
      forward(), backward_data(), update();
      return;
  }
}

void Idelta::forward() {
  idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
  args.m = problem_.m;
  args.x = memory_.x.data();
  args.bias = memory_.bias.data();
  args.activation = kHardTanh;
  args.y = memory_.y.data();
  args.ldx = args.ldy = problem_.n;
  check(idelta_forward(context_, delta_.get(), &args));
}

void Idelta::backward_data() {
  idelta_backward_data_args args = IDELTA_BACKWARD_DATA_ARGS_INIT;
  args.m = problem_.m;
  args.dy = memory_.dy.data();
  args.y = memory_.y.data();
  args.activation = kHardTanh;
  args.dz = memory_.dz.data();
  args.dx = memory_.dx.data();
  args.lddy = args.ldy = args.lddz = args.lddx = problem_.n;
  check(idelta_backward_data(context_, delta_.get(), &args));
}

void Idelta::backward_weights() {
  idelta_backward_weights_args args = IDELTA_BACKWARD_WEIGHTS_ARGS_INIT;
  args.m = problem_.m;
  args.n = problem_.n;
  args.x = memory_.x.data();
  args.dz = memory_.dz.data();
  args.dD = memory_.gradient.data();
  args.db = memory_.bias_gradient.data();
  args.ldx = args.lddz = args.lddD = problem_.n;
  args.format = format_;
  check(idelta_backward_weights(context_, &args));
}

void Idelta::update() {
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = IDELTA_OPTIMIZER_MOMENTUM;
  optimizer.learning_rate = learning_rate_;
  optimizer.momentum = kMomentum;
  idelta_update_args args = IDELTA_UPDATE_ARGS_INIT;
  args.m = problem_.m;
  args.x = memory_.x.data();
  args.dz = memory_.dz.data();
  args.ldx = args.lddz = problem_.n;
  args.optimizer = &optimizer;
  args.gradient_format = format_;
  // D stays null where the packed delta is the master copy.
  if (format_ != IDELTA_FORMAT_F32) args.D = memory_.weights.data(), args.ldd = problem_.n;
  args.state[0] = memory_.velocity.data();
  args.bias = memory_.bias.data();
  args.bias_state[0] = memory_.bias_velocity.data();
  check(idelta_update(context_, delta_.get(), &args));
}

ImplementationEntry idelta_entry(idelta_format format) {
  return {.name = "idelta",
          .format = idelta_format_name(format),
          .isa = [](idelta_isa isa) { return std::string(idelta_isa_name(idelta_context_isa(context_for(isa, 1)))); },
          .identity_apart = true,
          .rival = false,
          .make = [format](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
            return std::make_unique<Idelta>(problem, inputs, false, format);
          }};
}

}  // namespace idelta::bench
