#include "src/core/passes/chain.h"

#include <algorithm>

#include "src/core/base/range.h"
#include "src/core/formats/multiply_rows.h"
#include "src/core/plan/cost_model.h"

namespace idelta::core {
namespace {

// With fewer rows a block, reading D would take as long as multiplying.
constexpr int64_t kLeastRows = 64;

// Blocks are taken even where the cost model finds them slower by so much: it does not know what they gain because
// rows stay in cache. That is 2 to 19 % over calls with outputs of their own (n 256 to 1024, m >= 2048, Zen 4,
// 2026-11), and 3 to 6 % less with blocks of twice the rows.
constexpr double kBlocksMayCost = 1.03;

// Whether both take the same time and workspace.
bool alike(const idelta_delta& a, const idelta_delta& b) {
  return a.header.format == b.header.format && a.header.tail == b.header.tail &&
         a.packed.forward->rank() == b.packed.forward->rank();
}

}  // namespace

// Calls of all rows, one delta after the other, unless blocks are faster.
Chain::Chain(const idelta_context& context, std::span<const idelta_delta* const> deltas, int64_t m)
    : context_(context), n_(deltas.front()->header.n), m_(m), rows_(m) {
  cut_into_blocks(deltas);
  const int64_t last = m_ - (ceil_div(m_, rows_) - 1) * rows_;
  size_t bytes = 0;
  const idelta_delta* before = nullptr;
  for (const idelta_delta* const delta : deltas) {
    if (before && alike(*before, *delta)) continue;
    before = delta;
    bytes = std::max(bytes, delta->packed.forward->workspace_bytes(worker(), rows_));
    if (last != rows_) bytes = std::max(bytes, delta->packed.forward->workspace_bytes(worker(), last));
  }
  operator_floats_ = round_up(ceil_div(static_cast<int64_t>(bytes), sizeof(float)), kLine);
}

// A thread takes consecutive blocks. One block needs no choice: it is all rows, which all threads multiply together.
void Chain::cut_into_blocks(std::span<const idelta_delta* const> deltas) {
  const int64_t mr = context_.kernels.f32_forward.mr;
  const int64_t row_bytes = 2 * n_ * static_cast<int64_t>(sizeof(float)), fitting = context_.caches.l2 / 4 / row_bytes;
  const double multiply_adds = ProductSize{m_, n_, n_}.multiply_adds() * static_cast<double>(deltas.size());
  const int64_t threads = useful_threads(context_.parallel.threads(), multiply_adds);
  const int64_t limit = std::max(kLeastRows, fitting) / mr * mr;
  const int64_t each = ceil_div(m_, threads * limit);  // blocks of a thread
  const int64_t rows = std::min(m_, round_up(ceil_div(m_, threads * each), mr)), blocks = ceil_div(m_, rows);
  if (blocks == 1) return;
  const int64_t tasks = std::min(threads, blocks);
  const idelta_context& one = tasks > 1 ? *context_.alone : context_;
  const double apart = static_cast<double>(ceil_div(blocks, tasks)) * steps(one, deltas, rows);
  if (apart > kBlocksMayCost * steps(context_, deltas, m_)) return;
  rows_ = rows;
  tasks_ = tasks;
}

double Chain::steps(const idelta_context& context, std::span<const idelta_delta* const> deltas, int64_t rows) const {
  double sum = 0, of_one = 0;
  const idelta_delta* before = nullptr;
  for (const idelta_delta* const delta : deltas) {
    if (!before || !alike(*before, *delta)) {
      of_one = delta->header.format->steps(context, {rows, n_, n_}, delta->packed.forward->rank(), delta->header.tail);
    }
    before = delta;
    sum += of_one;
  }
  return sum;
}

// Floats of a block's outputs.
int64_t Chain::outputs() const { return rows_ * copy_stride(n_); }

void Chain::run(std::span<const ChainLayer> layers, float* memory) const {
  const int64_t blocks = ceil_div(m_, rows_);
  const double multiply_adds = ProductSize{m_, n_, n_}.multiply_adds() * static_cast<double>(layers.size());
  context_.parallel.run(tasks_, multiply_adds, [&](int64_t task) {
    float* const own = memory + task * task_stride(task_floats(), tasks_);
    for (int64_t block = task * blocks / tasks_; block < (task + 1) * blocks / tasks_; ++block) {
      run_block(layers, block * rows_, own);
    }
  });
}

// Outputs that are not kept go into two buffers by turns.
void Chain::run_block(std::span<const ChainLayer> layers, int64_t first, float* memory) const {
  float* const buffers[] = {memory, memory + outputs()};
  const size_t bytes = static_cast<size_t>(operator_floats_) * sizeof(float);
  const float* x = layers.front().call.rows.src + first * layers.front().call.rows.ld;
  int64_t ldx = layers.front().call.rows.ld;
  for (size_t l = 0; l < layers.size(); ++l) {
    Multiplication call = layers[l].call;
    call.m = std::min(rows_, m_ - first);
    call.rows = {.src = x, .ld = ldx};
    Epilogue& out = call.epilogue;
    if (out.y) {
      out.y += first * out.ldy;
    } else {
      out.y = buffers[l % 2], out.ldy = copy_stride(n_);
    }
    if (out.contribution) out.contribution += first * out.ldc;
    if (call.errors.at) call.errors.at += first;
    if (call.errors.norms) call.errors.norms += first;
    call.workspace = {memory + 2 * outputs(), bytes};
    layers[l].delta->packed.forward->multiply(worker(), call);
    x = out.y, ldx = out.ldy;
  }
}

}  // namespace idelta::core
