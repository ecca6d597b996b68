#include "src/core/passes/activation.h"

#include <algorithm>
#include <limits>

namespace idelta::core {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

}  // namespace

ActivationArgs activation_of(const idelta_activation& activation) {
  switch (activation.kind) {
    case IDELTA_ACTIVATION_RELU:
      return {1, 0, kInfinity, false};
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return {activation.slope, -kInfinity, kInfinity, false};
    case IDELTA_ACTIVATION_HARD_TANH:
      return {1, -1, 1, false};
    case IDELTA_ACTIVATION_TANH:
      return {1, -kInfinity, kInfinity, true};
    case IDELTA_ACTIVATION_IDENTITY:
      break;
  }
  return kIdentityActivation;
}

ActivationGradient gradient_of(const idelta_activation& activation) {
  switch (activation.kind) {
    case IDELTA_ACTIVATION_RELU:
      return {1, 0, kNone, false};
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return {activation.slope, kNone, kNone, false};
    case IDELTA_ACTIVATION_HARD_TANH:
      return {1, -1, 1, false};
    case IDELTA_ACTIVATION_TANH:
      return {1, kNone, kNone, true};
    case IDELTA_ACTIVATION_IDENTITY:
      break;
  }
  return {1, kNone, kNone, false};
}

void activation_backward(const idelta_context& context, int64_t m, int64_t n, const Rows& rows) {
  const double work = packing_work(m * n);
  const int64_t tasks = std::min(m, useful_threads(context.parallel.threads(), work));
  context.parallel.run(tasks, work, [&](int64_t task) {
    const Range mine = part_of(m, tasks, task);
    context.kernels.f32_copy_rows(gradient_step(rows, mine, n, rows.dz + mine.begin * rows.lddz, rows.lddz));
  });
}

}  // namespace idelta::core
