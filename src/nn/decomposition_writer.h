// Writes what a reader wants of the layers of a chunk into arrays of the whole set, or of the chunk.
#ifndef IDELTA_NN_DECOMPOSITION_WRITER_H
#define IDELTA_NN_DECOMPOSITION_WRITER_H

#include "class_scores.h"
#include "passes.h"

namespace idelta::nn {

class DecompositionWriter {
 public:
  // arrays: of `rows` rows, as DecompositionArrays has them; null: not wanted.
  DecompositionWriter(const Network& network, const DecompositionArrays& arrays);

  bool wants_steps() const;  // and with them contributions
  bool wants_anything() const;

  // One layer of `count` images (count x P), to rows first .. first + count - 1 of its matrices. The first image with
  // something that is not finite, -1 if there is none.
  int64_t write(const LayerChunk& layer, int64_t count, const float* images, int64_t rows, int64_t first);

 private:
  // Of one row; the arrays are those of layer and row. False if something is not finite.
  bool write_output(const float* image, const float* h, const DecompositionArrays& to);
  template <class Act>
  bool write_steps(const Act& act, const float* below, const float* contribution, const DecompositionArrays& to) const;

  const Network& network_;
  DecompositionArrays arrays_;
  Scores scores_;
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_DECOMPOSITION_WRITER_H
