// See idelta.h: D packed once, the library's own workspace, optimiser and repacking fused in idelta_update.
#include "bench/implementations/idelta.h"

#include <map>
#include <memory>
#include <utility>

namespace idelta::bench {

namespace {

constexpr idelta_activation kHardTanh = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};

// x^T dz of m rows, n = 1, all of them 1 + 2^-10. Its square is none of what bf16 holds, nor of three products of two.
float gradient_of(idelta_format format, int64_t m) {
  const std::vector<float> rows(size_t(m), 1.0f + 0x1p-10f);
  float gradient = 0.0f;
  backward_weights(context_for(IDELTA_ISA_AUTO, 1), {.m = m,
                                                     .n = 1,
                                                     .x = rows.data(),
                                                     .ldx = 1,
                                                     .dz = rows.data(),
                                                     .lddz = 1,
                                                     .dD = &gradient,
                                                     .lddD = 1,
                                                     .format = format});
  return gradient;
}

// Where F32 takes the format's place the bits are the same.
bool rounds_gradients(idelta_format format, int64_t m) {
  return gradient_of(format, m) != gradient_of(IDELTA_FORMAT_F32, m);
}

}  // namespace

const Context& context_for(idelta_isa isa, int threads) {
  static std::map<std::pair<idelta_isa, int>, std::unique_ptr<Context>> contexts;
  auto& slot = contexts[{isa, threads}];
  if (slot == nullptr) slot = std::make_unique<Context>(Context::with(isa, threads));
  return *slot;
}

std::vector<idelta_format> formats_on(idelta_isa isa) {
  std::vector<idelta_format> formats;
  for (const idelta_format format : kinds_of(idelta_format_names(), idelta_format_by_name)) {
    if (format == IDELTA_FORMAT_AUTO || idelta_gradient_format_check(format) != IDELTA_OK) continue;
    const float D = 0.0f;
    DeltaOptions options = kDeltaOptions;
    options.format = format;
    if (Delta(context_for(isa, 1), 1, &D, 1, options).info().format == format) formats.push_back(format);
  }
  return formats;
}

Idelta::Idelta(const Problem& problem, const Inputs& inputs, bool identity_in_weights, idelta_format format)
    : Implementation(problem, inputs, identity_in_weights, codes(format)),
      format_(format),
      context_(context_for(problem.isa, problem.threads)) {
  if (memory_.weights.size() == 0) return;
  const bool forward = problem.pass.has("forward"), backward = problem.pass.has("backward_data");
  DeltaOptions options = kDeltaOptions;
  options.format = format_;
  options.identity_scale = identity_in_weights ? 0.0f : 1.0f;
  options.passes = forward == backward ? IDELTA_PASS_BOTH : forward ? IDELTA_PASS_FORWARD : IDELTA_PASS_BACKWARD_DATA;
  own_delta_ = std::make_shared<Delta>(context_, problem.n, memory_.weights.data(), problem.n, options);
  delta_ = own_delta_;
  if (!problem.pass.trains()) return;
  velocity_ = Buffer(panels_floats(context_, problem.n));
  if (format_ != IDELTA_FORMAT_F32) master_ = Buffer(velocity_.size());
  pack_parameters();
}

Idelta::Idelta(const Problem& problem, const Inputs& inputs, std::shared_ptr<const Delta> delta)
    : Implementation(problem, inputs, false, codes()),
      format_(IDELTA_FORMAT_F32),
      context_(context_for(problem.isa, problem.threads)),
      delta_(std::move(delta)) {
  memory_.weights = Buffer();
}

StageCodes Idelta::codes(idelta_format format) {
  StageCodes all = {code("forward", &Idelta::forward), code("backward_data", &Idelta::backward_data)};
  if (idelta_gradient_format_check(format) != IDELTA_OK) return all;
  all.push_back(code("backward_weights", &Idelta::backward_weights));
  all.push_back(code("update", &Idelta::update));
  return all;
}

void Idelta::weights_changed() {
  own_delta_->repack(memory_.weights.data(), problem_.n);
  pack_parameters();
}

void Idelta::pack_parameters() {
  if (!problem_.pass.trains()) return;
  const int64_t n = problem_.n;
  panels_pack(context_, n, memory_.velocity.data(), n, velocity_.data());
  if (format_ == IDELTA_FORMAT_F32) return;
  panels_pack(context_, n, memory_.weights.data(), n, master_.data());
}

void Idelta::fetch_weights() {
  if (!problem_.pass.trains()) return;
  if (format_ == IDELTA_FORMAT_F32) return delta_->unpack(memory_.weights.data(), problem_.n);
  panels_unpack(context_, problem_.n, master_.data(), memory_.weights.data(), problem_.n);
}

void Idelta::forward() {
  delta_->forward({.m = problem_.m,
                   .x = memory_.x.data(),
                   .ldx = problem_.n,
                   .bias = memory_.bias.data(),
                   .activation = kHardTanh,
                   .y = memory_.y.data(),
                   .ldy = problem_.n});
}

void Idelta::backward_data() {
  delta_->backward_data({.m = problem_.m,
                         .dy = memory_.dy.data(),
                         .lddy = problem_.n,
                         .y = memory_.y.data(),
                         .ldy = problem_.n,
                         .activation = kHardTanh,
                         .dz = memory_.dz.data(),
                         .lddz = problem_.n,
                         .dx = memory_.dx.data(),
                         .lddx = problem_.n});
}

void Idelta::backward_weights() {
  idelta::backward_weights(context_, {.m = problem_.m,
                                      .n = problem_.n,
                                      .x = memory_.x.data(),
                                      .ldx = problem_.n,
                                      .dz = memory_.dz.data(),
                                      .lddz = problem_.n,
                                      .dD = memory_.gradient.data(),
                                      .lddD = problem_.n,
                                      .db = memory_.bias_gradient.data(),
                                      .format = format_});
}

void Idelta::update() {
  Optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = IDELTA_OPTIMIZER_MOMENTUM;
  optimizer.learning_rate = learning_rate_;
  optimizer.momentum = kMomentum;
  own_delta_->update({.m = problem_.m,
                      .x = memory_.x.data(),
                      .ldx = problem_.n,
                      .dz = memory_.dz.data(),
                      .lddz = problem_.n,
                      .optimizer = &optimizer,
                      .D = format_ == IDELTA_FORMAT_F32 ? nullptr : master_.data(),
                      .state = {velocity_.data()},
                      .bias = memory_.bias.data(),
                      .bias_state = {memory_.bias_velocity.data()},
                      .gradient_format = format_,
                      .order = IDELTA_ORDER_PANELS});
}

ImplementationEntry idelta_entry(idelta_format format) {
  return {.name = "idelta",
          .format = idelta_format_name(format),
          .isa = [](idelta_isa isa) { return std::string(idelta_isa_name(context_for(isa, 1).isa())); },
          .identity_apart = true,
          .rival = false,
          .stages = Idelta::codes(format),
          .own_gradients = [format](int64_t m) { return format == IDELTA_FORMAT_F32 || rounds_gradients(format, m); },
          .make = maker<Idelta>(false, format)};
}

ImplementationEntry plain_entry(idelta_format format) {
  ImplementationEntry entry = idelta_entry(format);
  entry.name = "plain";
  entry.identity_apart = false;
  entry.make = maker<Idelta>(true, format);
  return entry;
}

namespace {

// A base, so that the inputs are there before Idelta takes them.
struct OwnInputs {
  Inputs own;
};

class IdeltaRandom : private OwnInputs, public Idelta {
 public:
  IdeltaRandom(const Problem& problem, const Inputs&)
      : OwnInputs{random_inputs(problem)}, Idelta(problem, OwnInputs::own, false) {}
};

}  // namespace

ImplementationEntry idelta_random_entry() {
  ImplementationEntry entry = idelta_entry();
  entry.name = "idelta_random";
  entry.make = maker<IdeltaRandom>();
  return entry;
}

}  // namespace idelta::bench
