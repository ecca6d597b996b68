// What every layer of a network contributes: to a set, to an image, to a neuron.
//
//   z^l = a h^{l-1} + h^{l-1} D^l + b^l,   h^l = act(z^l),   h^0 = [x, padding]          width n = P + C, L layers
//   contribution       Delta^l = z^l - a h^{l-1}, as the kernel's accumulator held it
//   activation change  kappa^l = act(z^l) - z^l;  not small where the activation bends, and 0 in the last layer
//   step               s^l = h^l - h^{l-1} = (a - 1) h^{l-1} + Delta^l + kappa^l
//
// Hence h^0 + sum_l s^l = h^L, and the logit of class c is padding + sum_l s^l[P + c]. "Class dimensions" are the last
// C entries, the "class likelihood" is their softmax: scores, not calibrated probabilities. The contribution map
// h^l[0:P] - x is one an image, not one a class; class_maps() are something else.
//
// All calls work on networks that have dropped D: it is then what their forms hold of it. Sums over images and neurons
// run in fp64 and in a fixed order: results have the same bits for any `batch` and any number of threads. Memory is a
// few matrices of batch x n beside what is returned. They throw NotFinite rather than give a number that is made of NaN
// or infinities, and std::runtime_error where sizes do not fit.
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

// What one layer does on a set; all but the last two are means over the images. Logarithms are natural.
struct LayerReport {
  double accuracy = 0;             // of argmax over the class dimensions of h^l, the lowest of equals
  double cross_entropy = 0;        // -log class likelihood of the label
  double entropy = 0;              // -sum_c p_c log p_c of the class likelihood p: 0 when sure, log C when not at all
  double margin = 0;               // class dimension of the label less the largest of the others
  double kl_to_final = 0;          // KL(class likelihood of h^L || that of h^l)
  double direct_contribution = 0;  // step of the label's class dimension: the logit is the padding and all of these
  double contribution_norm = 0;    // ||Delta^l||_2
  double activation_change_norm = 0;  // ||kappa^l||_2
  double step_norm = 0;               // ||s^l||_2
  double spectral_norm = 0;           // ||D||_2, by singular values (LAPACK)
  double frobenius_ratio = 0;         // ||D||_F / ||I||_F,  ||I||_F = sqrt(n)
};

// Whether the steps of the layers up to l add up to h^l: the largest values over entries and images. "ulp" are units in
// the last place of the largest entry of that image's h^0 .. h^l, which is the largest number that was rounded.
//
// s^k is made of the kernel's Delta^k, of z^k = a h^{k-1} + Delta^k and of act(z^k), evaluated anew in fp64, and of
// nothing that the kernel says of h^k. So a sum of steps misses h^l by what the layers rounded, and by nothing else:
//
//   h^0 + sum_{k <= l} s^k - h^l = sum_{k <= l} e^k,      e^k = act(z^k) - h^k
//
// The kernel rounds z once, with one fma. That moves act(z) by at most u |act(z)|, u = 2^-24, since each of our
// activations is monotone, 0 at 0, and its magnitude concave in |z| on either side of 0. leaky_relu below 0 rounds its
// product once more; tanh errs by 2 ulp, which are at most 4 u |act(z)|; the others round nothing. Hence, entry by
// entry, with what fp64 rounds and what a process that flushes to zero loses on top:
//
//   |e^k| <= c u |act(z^k)|,      c = 1;  2 for leaky_relu below 0;  5 for tanh
//
// A Delta or an activation that is not the kernel's breaks this for entries that are themselves small, long before a
// sum shows it. The residual of a sum grows with depth, as its bound does; that of a single layer does not.
struct Closure {
  double sum_ulp = 0;      // |h^0 + sum_{k <= l} s^k - h^l|
  double bound_ulp = 0;    // what roundings alone may make of it: sum_{k <= l} of the bounds of e^k
  double layer_ulp = 0;    // |e^l|, of layer l alone
  double layer_share = 0;  // |e^l| / its bound, each entry by its own

  // A single layer stays below 4 ulp and within its bound, and so does the sum within its own.
  bool holds() const;
};

struct Evaluation {
  int64_t count = 0;
  std::vector<LayerReport> layers;  // h^1 .. h^L
  double input_accuracy = 0;        // of h^0: chance, by construction
  // decided[l - 1]: images whose prediction is the final one from layer l on, and was not in layer l - 1. Sums to
  // count.
  std::vector<int64_t> decided;
  std::vector<Closure> closure;  // of h^1 .. h^L
  // The largest |p^0 + sum_l (p^l - p^{l-1}) - p^L| of class likelihoods p, in fp64.
  double telescoping_error = 0;

  Closure worst_closure() const;  // the largest of each value over the layers
  bool closes() const;            // every layer holds
};

// What every layer says of one image: by these are images chosen that are misclassified, decided late, or least sure.
struct ReadOut {
  int label = 0;
  std::vector<uint8_t> predictions;  // of h^1 .. h^L
  int64_t first_final_layer = 0;     // 1 .. L: from this layer on the prediction is the final one
  float final_margin = 0;            // of the logits: the predicted class less the next
  float final_likelihood = 0;        // of the predicted class
};

// Where decompose() writes; null: not wanted. Of L matrices each has `rows` rows; they lie one after another.
struct DecompositionArrays {
  float* contribution_maps = nullptr;   // L x rows x P: h^l[0:P] - x
  float* contributions = nullptr;       // L x rows x n: Delta^l
  float* activation_changes = nullptr;  // L x rows x n: kappa^l
  float* steps = nullptr;               // L x rows x n: s^l, rounded once
  float* class_likelihoods = nullptr;   // L x rows x C
  int32_t* predictions = nullptr;       // L x rows
  float* features = nullptr;            // L x rows x n: h^1 .. h^L
  float* logits = nullptr;              // rows x C: the class dimensions of h^L
  float* final_likelihoods = nullptr;   // rows x C: their softmax, the last of class_likelihoods
};

struct EvaluationOptions {
  int64_t batch = 512;  // images at a time; changes no bit
  // False leaves spectral_norm and frobenius_ratio 0, for a caller who has them from weight_geometry(): a tenth of a
  // second a layer at n = 794.
  bool norms = true;
  // What else the pass hands over, so that a set is walked once. `maps` is written as by decompose(), a chunk at a
  // time: L matrices of `rows` rows one after another, for which there must be L x batch rows of room. Then
  // with_maps(first, rows) may take images first .. first + rows - 1 out of it.
  std::vector<ReadOut>* read_outs = nullptr;  // of every image, as read_outs() gives them
  DecompositionArrays maps;
  std::function<void(int64_t first, int64_t rows)> with_maps;
  PartDone progress;  // of images, after every chunk
};

Evaluation evaluate(const Network& network, const Dataset& data, const EvaluationOptions& options = {});
// Empty if `stop`, asked after every chunk and every norm, says so.
std::optional<Evaluation> evaluate_unless(const std::function<bool()>& stop, const Network& network,
                                          const Dataset& data, const EvaluationOptions& options = {});

// The last layer's accuracy alone, without the cost of the rest: share of labels that argmax h^L names. Empty if
// `stop`, asked after every batch, says so.
double accuracy(const Network& network, const Dataset& data, int64_t batch = 512);
std::optional<double> accuracy_unless(const std::function<bool()>& stop, const Network& network, const Dataset& data,
                                      int64_t batch = 512);

// Of every image of the set, in its order: L bytes and some an image.
std::vector<ReadOut> read_outs(const Network& network, const Dataset& data, int64_t batch = 512);

// images: rows x P. Runs `batch` rows at a time. NotFinite counts rows as images.
void decompose(const Network& network, int64_t rows, const float* images, const DecompositionArrays& arrays,
               int64_t batch = 512);

// One image through all layers.
struct ImageDecomposition {
  int64_t index = 0;
  int label = 0;
  std::vector<float> image;                            // P
  std::vector<std::vector<float>> contribution_maps;   // L of P: h^l[0:P] - x
  std::vector<std::vector<float>> contributions;       // L of n: Delta^l
  std::vector<std::vector<float>> activation_changes;  // L of n: kappa^l
  std::vector<std::vector<float>> steps;               // L of n: s^l
  std::vector<std::vector<float>> class_likelihoods;   // L of C
  std::vector<int> predictions;                        // L
};

std::vector<ImageDecomposition> decompose(const Network& network, const Dataset& data,
                                          std::span<const int64_t> indices);

// ---- Class maps: which pixels a logit is made of, by exact propagation through the image's active pattern ----
//
// With every act(z) replaced by g z + o, which agrees with it for this image, the network is affine:
//   logit_c = sum_p J_cp x_p + rest_c,     map_p = J_cp x_p,     rest: padding, biases and o through the same pattern
// g is act'(z) and o = act(z) - g z for piecewise linear activations, so that J is the local Jacobian (o is 0 but where
// hard_tanh clips); of tanh g = act(z) / z and o = 0. It closes to roundings in f32; in other formats also to the
// errors of the products, see idelta_delta_info_t.certificate.

// Where class_maps() writes, of rows images; null: not wanted.
struct ClassMapArrays {
  float* maps = nullptr;    // rows x P
  double* rests = nullptr;  // rows
  float* logits = nullptr;  // rows: of the class, h^L[P + c]
};

// images: rows x P; classes: rows entries in [0, C). Runs at most `batch` rows at a time, and fewer where L x batch x n
// floats take more than 64 MB.
void class_maps(const Network& network, int64_t rows, const float* images, const int* classes,
                const ClassMapArrays& arrays, int64_t batch = 512);

struct ClassMap {
  std::vector<float> map;  // P
  double rest = 0;
  float logit = 0;
};

// image: P entries.
ClassMap class_map(const Network& network, std::span<const float> image, int class_index);

// ---- Neurons ----

// Delta_i = z_i - a h_i = sum_j D_ji h_j + b_i of neuron i of a layer, with h the layer's input and D as it is
// multiplied: rounded in BF16, U V in LOW_RANK.
struct NeuronSplit {
  std::vector<double> terms;  // n: D_ji h_j, exactly
  double bias = 0;
  // Delta_i as the kernel's accumulator held it: the sum of the above to (n + 3) 2^-24 times the sum of their
  // magnitudes in F32; formats that round h, too, err by that more.
  float contribution = 0;
};

// image: P entries; layer in [0, L); neuron in [0, n).
NeuronSplit neuron_split(const Network& network, std::span<const float> image, int64_t layer, int64_t neuron);

// An input neuron j of a layer, by its term D_jc h_j of the class dimension c of the label.
struct NeuronTerm {
  int64_t neuron = 0;
  double mean_magnitude = 0;  // mean of |D_jc h_j| over the set
  double mean = 0;            // mean of D_jc h_j
};

// Of each layer the `count` input neurons of the largest mean magnitude, falling; equals in order of their index.
std::vector<std::vector<NeuronTerm>> top_neurons(const Network& network, const Dataset& data, int64_t count,
                                                 int64_t batch = 512);

// Writes a PNG: a row an image: input in grey, then each layer's map, of more than 12 layers 12 that are evenly spaced.
// All maps have one zero-centred blue-white-red scale, which is written below them; under each stand the predicted
// class and its likelihood.
void write_contribution_sheet(const std::string& path, const NetworkOptions& options,
                              std::span<const ImageDecomposition> images);

}  // namespace idelta::nn

#endif  // IDELTA_NN_DECOMPOSITION_HPP
