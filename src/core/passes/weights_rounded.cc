// x^T dz with x and dz rounded to bf16 or split in two: bf16_dot or bf16x3_dot of rows of x^T and panels of dz.
#include "src/core/formats/multiplication.h"
#include "src/core/passes/weights_task.h"

namespace idelta::core {
namespace {

// A task's memory: hi, and lo if split, zero-padded to whole lines of pairs of rows of its batch block:
//   dz:  the panels of the cell,   words [row / 2][kernel's nr]
//   x:   the columns of a block,   [row], stride() apart
struct Layout {
  const Kernel<Bf16Block>& kernel;
  const WeightsPlan& plan;

  Layout(const KernelTable& kernels, const WeightsPlan& p)
      : kernel(p.planes == 2 ? kernels.bf16x3_dot : kernels.bf16_dot), plan(p) {}

  bool split() const { return plan.planes == 2; }
  int64_t steps() const { return round_up(plan.most_batch_rows(), kPairLine); }
  int64_t stride() const { return odd_lines(steps(), kPairLine); }
  int64_t panel_words() const { return steps() / 2 * kernel.nr; }
  int64_t together() const { return plan.nr / kernel.nr; }  // kernel panels in a panel of dD
  int64_t block_columns() const { return WeightsPlan::kBlockPanels * plan.nr; }

  int64_t dz_words() const { return plan.most_panels() * together() * panel_words(); }          // of one plane
  int64_t x_words() const { return (block_columns() + kernel.rows_past_last) * stride() / 2; }  // likewise
  int64_t partial_floats() const { return round_up(block_columns(), kPairLine) * kernel.nr; }
  int64_t zeros() const { return plan.most_panels() * plan.nr; }  // stand for a row of dD where dD is not read
  int64_t floats() const { return plan.planes * (dz_words() + x_words()) + partial_floats() + zeros(); }
};

struct Packed {
  Word *dz_hi, *dz_lo;
  uint16_t *x_hi, *x_lo;
  float *partial, *zeros;

  Packed(const Layout& layout, float* memory) {
    const int64_t planes = layout.plan.planes;
    dz_hi = words_of(memory);
    dz_lo = layout.split() ? dz_hi + layout.dz_words() : nullptr;
    x_hi = reinterpret_cast<uint16_t*>(dz_hi + planes * layout.dz_words());
    x_lo = layout.split() ? x_hi + 2 * layout.x_words() : nullptr;
    partial = memory + planes * (layout.dz_words() + layout.x_words());
    zeros = partial + layout.partial_floats();
  }
};

int64_t task_floats(const KernelTable& kernels, const WeightsPlan& plan) { return Layout(kernels, plan).floats(); }

// Packs up to kPairLine rows of all panels of dz, zero past the last row.
void pack_dz(const WeightsTask& task, Range rows) {
  const Layout layout(task.kernels, task.plan);
  const Packed to(layout, task.memory);
  const int64_t nr = layout.kernel.nr, first = task.cell.panels.begin * task.plan.nr;
  const int64_t end = first + task.plan.columns(task.cell.panels);
  int64_t at = rows.begin / 2 * nr;
  for (int64_t column = first; column < end; column += nr, at += layout.panel_words()) {
    task.kernels.bf16_round_panel({.rows = rows.size(),
                                   .cols = std::min(nr, end - column),
                                   .src = task.dz(rows.begin, column),
                                   .ld = task.operands.lddz,
                                   .width = nr,
                                   .hi = to.dz_hi + at,
                                   .lo = to.dz_lo ? to.dz_lo + at : nullptr});
    for (Word* const words : {to.dz_hi, to.dz_lo}) {
      if (words) std::fill(words + at + ceil_div(rows.size(), 2) * nr, words + at + kPairLine / 2 * nr, 0u);
    }
  }
}

// Transposes x, kPairLine rows at a time.
void pack_x(const WeightsTask& task, Range block) {
  const Layout layout(task.kernels, task.plan);
  const Packed to(layout, task.memory);
  for (int64_t row = 0; row < task.batch_rows(); row += kPairLine) {
    task.kernels.bf16_round_rows_transposed({.rows = task.plan.columns(block),
                                             .cols = std::min<int64_t>(kPairLine, task.batch_rows() - row),
                                             .src = task.x(row, block.begin * task.plan.nr),
                                             .ld = task.operands.ldx,
                                             .hi = to.x_hi + row,
                                             .lo = to.x_lo ? to.x_lo + row : nullptr,
                                             .ldr = layout.stride()});
  }
}

void multiply(const WeightsTask& task, const WeightsProduct& product) {
  const WeightsPlan& plan = task.plan;
  const Layout layout(task.kernels, plan);
  const Packed from(layout, task.memory);
  const int64_t width = plan.columns(product.rows), ldo = product.ldo;
  const int64_t words = (product.panels.begin - task.cell.panels.begin) * layout.together() * layout.panel_words();
  if (product.beta == 0) std::fill_n(from.zeros, product.panels.size() * plan.nr, 0.0f);
  // As in fp32, dD may be written by rows, one tile at a time.
  const int64_t strip = plan.along_rows ? even_tile(width, plan.tile_rows) : width;
  for (int64_t first = 0; first < width; first += strip) {
    float* const out = product.out + first * ldo;
    const int64_t at = first * layout.stride();
    layout.kernel({.rows = std::min(strip, width - first),
                   .cols = plan.columns(product.panels),
                   .k = round_up(task.batch_rows(), kPairLine),
                   .x_hi = from.x_hi + at,
                   .x_lo = layout.split() ? from.x_lo + at : nullptr,
                   .ldx = layout.stride(),
                   .panels_hi = from.dz_hi + words,
                   .panels_lo = layout.split() ? from.dz_lo + words : nullptr,
                   .panel_stride = layout.panel_words(),
                   .partial = from.partial,
                   .epilogue = {.residual = product.beta == 0 ? from.zeros : out,
                                .ld_residual = product.beta == 0 ? 0 : ldo,
                                .identity_scale = product.beta,
                                .activation = kIdentityActivation,
                                .y = out,
                                .ldy = ldo,
                                .fetch_y = true}});
  }
}

}  // namespace

const WeightsWay kRoundedWeights{task_floats, kPairLine, pack_dz, pack_x, multiply};

}  // namespace idelta::core
