#include "src/core/passes/activation.h"

#include <algorithm>

namespace idelta::core {

void activation_backward(const idelta_context& context, int64_t m, int64_t n, const Rows& rows) {
  const double work = packing_work(m * n);
  const int64_t tasks = std::min(m, useful_threads(context.parallel.threads(), work));
  context.parallel.run(tasks, work, [&](int64_t task) {
    const Range mine = part_of(m, tasks, task);
    context.kernels.f32_copy_rows(gradient_step(rows, mine, n, rows.dz + mine.begin * rows.lddz, rows.lddz));
  });
}

}  // namespace idelta::core
