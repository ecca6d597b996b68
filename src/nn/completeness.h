// Whether the steps of a network add up to its outputs, and how large they are.
#ifndef IDELTA_NN_COMPLETENESS_H
#define IDELTA_NN_COMPLETENESS_H

#include <vector>

#include "passes.h"

namespace idelta::nn {

// One step of one image.
struct StepSize {
  double contribution_norm = 0, activation_change_norm = 0, step_norm = 0;
  double label_step = 0;  // of the label's class dimension
  Closure closure;        // of this image
};

// Makes each value of `worst` that of `closure` where that is larger.
void raise(Closure& worst, const Closure& closure);

// Sums the steps of the images of a chunk, layer by layer, in fp64.
class Completeness {
 public:
  explicit Completeness(const Network& network) : network_(network) {}

  // h^0 of a chunk of `rows` images.
  void start(int64_t rows, const float* h0);

  // Adds the step of a layer, 1 .. L, to the sums of all rows; sizes: a StepSize of each row. What is not finite makes
  // step_norm so.
  void add(const Chunk& chunk, const LayerChunk& layer, std::vector<StepSize>& sizes);

 private:
  const Network& network_;
  std::vector<double> sums_, bounds_;  // rows x n: of the steps, and of what their layers may round
  std::vector<float> largest_;         // rows: of the entries of all layers so far
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_COMPLETENESS_H
