// Studies: several networks a depth, and what they have in common. The seed of the shuffling alone moves the accuracy
// of an early layer by several points, so a statement about the role of a layer needs several seeds.
#ifndef IDELTA_NN_STUDY_HPP
#define IDELTA_NN_STUDY_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "idelta/nn/decomposition.hpp"
#include "idelta/nn/training.hpp"

namespace idelta::nn {

// Which labels a network learned: those of the set, or the same ones permuted, which is the control.
enum class StudyLabels { kTrue, kShuffled };

// One network of a study, as it was measured on the test set.
struct StudyNetwork {
  std::string file;  // the model, beside study.json
  int64_t layers = 0;
  StudyLabels labels = StudyLabels::kTrue;
  TrainOptions train;                // its seed too
  std::vector<LayerReport> reports;  // of h^1 .. h^L
  double seconds = 0;                // of training, over all interruptions
  std::string parameters_hash;       // of the network's, to tell whether the file is still the one that was measured

  double test_accuracy() const { return reports.back().accuracy; }
};

struct Study {
  std::string data;  // the name of the set
  int64_t training_images = 0, test_images = 0;
  NetworkOptions network;  // of all networks, but for the layers
  std::vector<StudyNetwork> networks;
};

// One quantity over the seeds.
struct Spread {
  double mean = 0, least = 0, most = 0;
  double deviation = 0;  // standard deviation of a sample, with count - 1 below; 0 of a single network
};

// What the networks of one depth have in common. Vectors hold an entry a layer, h^1 .. h^L.
struct StudyBands {
  int64_t layers = 0;
  StudyLabels labels = StudyLabels::kTrue;
  int64_t networks = 0;  // 0: the study has none of this depth; then the rest is empty
  std::vector<Spread> accuracy, cross_entropy, spectral_norm, frobenius_ratio;
  Spread test_accuracy, seconds;
  // Whether in every network each layer is at least as accurate as its predecessor less a point; and without the last
  // layer, which alone is linear.
  bool rises = false, hidden_rise = false;
  double largest_hidden_norm = 0;  // the largest ||D||_2 of the layers before the last one, of all networks
  double largest_inner_norm = 0;   // and without the first one
};

// 16 hexadecimal digits of D and b of all layers.
std::string parameters_hash(const Network& network);

// Options with which a network of this depth trains well on Fashion-MNIST; src/nn/README.md has what they give.
TrainOptions study_defaults(int64_t layers);

StudyBands summarise(const Study& study, int64_t layers, StudyLabels labels = StudyLabels::kTrue);

// Of each depth in ascending order and of both kinds of labels, true ones first, where the study has networks.
std::vector<StudyBands> summarise(const Study& study);

// The depths of a study in ascending order, each once.
std::vector<int64_t> depths(const Study& study);

// study.json and study.csv, as `idelta study` writes them. `path` is study.json itself or the folder that holds it. A
// file that is damaged, or of a later schema, is refused by a sentence that names it.
Study read_study(const std::string& path);
void write_study(const std::string& folder, const Study& study);

}  // namespace idelta::nn

#endif  // IDELTA_NN_STUDY_HPP
