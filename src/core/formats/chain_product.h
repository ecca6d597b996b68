// Multiplies rows in fp32 with panels, one chain of multiply-adds for each element: F32, BF16 widened, both halves of
// LOW_RANK.
#ifndef IDELTA_CORE_FORMATS_CHAIN_PRODUCT_H
#define IDELTA_CORE_FORMATS_CHAIN_PRODUCT_H

#include "src/core/context.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/multiply_rows.h"
#include "src/core/formats/panel_operator.h"
#include "src/core/formats/panels.h"

namespace idelta::core {

using ChainKernel = Kernel<ForwardTile>;

// Memory that tiles prefetch to L2, a line with each word of their reduction.
class FetchAhead {
 public:
  FetchAhead() = default;
  // `words` words, shared among `tiles` tiles.
  FetchAhead(const Word* at, int64_t words, int64_t tiles) : at_(at), share_(ceil_div(words, tiles)) {}
  // Rows of `width` floats and the gaps between them; nothing if the gaps are larger than the rows.
  FetchAhead(const float* first, int64_t ld, int64_t rows, int64_t width, int64_t tiles) {
    if (first && rows > 0 && ld < 2 * width) *this = {words_of(first), rows * ld, tiles};
  }

  bool given() const { return at_; }
  // The share of the next tile, whose reduction has `words` words.
  Fetch share(int64_t words) {
    if (!at_) return {};
    const Word* const at = at_;
    at_ += share_;
    return {at, ceil_div(share_, words), true};
  }

 private:
  const Word* at_ = nullptr;
  int64_t share_ = 0;
};

// The tiles of a block of rows against panels. A Product of multiply_rows().
struct ChainTiles {
  const idelta_context& context;
  const ChainKernel& kernel;
  const Panels& panels;
  int64_t kc;  // reduction steps at a time, 1 or more

  // Whether the panels do not fit into L2.
  bool streams() const { return static_cast<int64_t>(panels.bytes()) > context.caches.l2; }
  // The number of calls of the kernel for `rows` rows and `columns` panels.
  int64_t tiles(int64_t rows, int64_t columns) const {
    return ceil_div(rows, kernel.mr) * columns * ceil_div(panels.k(), kc);
  }
  // partial: memory for sums between blocks of the reduction. ahead: what is prefetched; by default the next panels
  // where that pays.
  void multiply(const RowBlock& block, Range columns, float* partial, FetchAhead ahead = {}) const;

 private:
  struct Part {
    int64_t row, rows;
    Range panels, reduction;
    Sums start, suspend;
  };
  void multiply_tile(const RowBlock& block, const Part& part, const Fetch& fetch) const;
};

// The workspace of multiply_chains() for m >= 1 rows and any B of k x cols.
size_t chains_workspace_bytes(const idelta_context& context, const ChainKernel& kernel, const ProductSize& size);

void multiply_chains(const idelta_context& context, const ChainKernel& kernel, const Panels& panels,
                     Multiplication& call);

// Format::steps of a format of one such product, whose words take word_steps each.
double chains_steps(const idelta_context& context, const ChainKernel& kernel, const ProductSize& size,
                    double word_steps);

// A format whose panels a slot of the kernel table multiplies in chains.
template <ChainKernel KernelTable::*kKernel>
class ChainOperator : public PanelOperator {
 public:
  ChainOperator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols)
      : PanelOperator(context, B, k, cols, PanelShape::of(context.kernels.*kKernel)) {}

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override {
    return chains_workspace_bytes(context, context.kernels.*kKernel, {m, k(), cols()});
  }
  void multiply(const idelta_context& context, Multiplication& call) const override {
    multiply_chains(context, context.kernels.*kKernel, panels(), call);
  }
};

// A B of dense matrices (A without gaps), for packing: the same bits on every ISA with any number of threads.
void dense_product(const idelta_context& context, const ProductSize& size, const float* A, const MatrixView& B,
                   float* out);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_CHAIN_PRODUCT_H
