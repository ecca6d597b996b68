// What every layer of a network contributes.
#ifndef IDELTA_NN_DECOMPOSITION_HPP
#define IDELTA_NN_DECOMPOSITION_HPP

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "idelta/nn/data.hpp"
#include "idelta/nn/network.hpp"

namespace idelta::nn {

// What one layer does on a set. Norms are of this layer's D; "identity" is I_n, ||I||_F = sqrt(n).
struct LayerReport {
  double accuracy = 0;         // of argmax over the class dimensions of h^l
  double cross_entropy = 0;    // mean of -log class likelihood of the label
  double spectral_norm = 0;    // ||D||_2, by singular values (LAPACK)
  double frobenius_ratio = 0;  // ||D||_F / ||I||_F
};

struct Evaluation {
  int64_t count = 0;
  std::vector<LayerReport> layers;  // h^1 .. h^L
  double input_accuracy = 0;        // of h^0: chance, by construction
  // Largest |x + sum of steps - h^L| in units in the last place of the largest entry of that row, steps h^l - h^{l-1}
  // summed in fp32 order as a reader would.
  double completeness_ulp = 0;
};

// This, accuracy and decompose throw NotFinite rather than give a number that is made of NaN or infinities.
Evaluation evaluate(const Network& network, const Dataset& data, int64_t batch = 512);

// The last layer's accuracy alone, without the cost of the rest: share of labels that argmax h^L names. Empty if
// `stop`, asked after every batch, says so.
double accuracy(const Network& network, const Dataset& data, int64_t batch = 512);
std::optional<double> accuracy_unless(const std::function<bool()>& stop, const Network& network, const Dataset& data,
                                      int64_t batch = 512);

// One image through all layers.
struct ImageDecomposition {
  int64_t index = 0;
  int label = 0;
  std::vector<float> image;                           // P
  std::vector<std::vector<float>> contribution_maps;  // L of P: h^l[0:P] - x
  std::vector<std::vector<float>> class_likelihoods;  // L of C
  std::vector<int> predictions;                       // L
};

std::vector<ImageDecomposition> decompose(const Network& network, const Dataset& data,
                                          std::span<const int64_t> indices);

// Writes a PNG: a row an image: input in grey, then each layer's map on a zero-centred blue-white-red scale of its own
// row, with predicted class and likelihood written under each.
void write_contribution_sheet(const std::string& path, const NetworkOptions& options,
                              std::span<const ImageDecomposition> images);

}  // namespace idelta::nn

#endif  // IDELTA_NN_DECOMPOSITION_HPP
