// Networks: options, parameters, the forward pass.
#ifndef IDELTA_NN_NETWORK_HPP
#define IDELTA_NN_NETWORK_HPP

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "idelta/idelta.hpp"
#include "idelta/nn/data.hpp"

namespace idelta::nn {

// A number that should be finite is not: parameters or images so large that products of them overflow. The sentence
// names the layer and the image.
class NotFinite : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct NetworkOptions {
  int64_t layers = 10;
  int64_t height = 28, width = 28, classes = 10;
  float identity_scale = 1.0f;
  // Layer accuracy rises through the whole depth; with hard_tanh it falls again before the last layer.
  idelta_activation activation = {IDELTA_ACTIVATION_LEAKY_RELU, 0.1f};
  float class_padding = 0.0f;
  // What the training set is made of, as Dataset has it; the network computes with none of it, and a model file keeps
  // it. Each may be empty; feature_names and scaling belong to `pixels()` inputs, class_names to `classes`.
  std::vector<std::string> feature_names = {}, class_names = {};
  std::string label_name = {};
  Scaling scaling = {};

  int64_t pixels() const { return height * width; }
  int64_t n() const { return pixels() + classes; }
};

// Sentences about settings that work but disappoint, e.g. ReLU with padding 0: its class dimensions never learn.
std::vector<std::string> warnings(const NetworkOptions& options);

// Names and values, as text.
using Settings = std::map<std::string, std::string>;

// The options by the names that they have in model files.
Settings settings(const NetworkOptions& options);

// How a network was trained, on which the bits of its D depend. Names, as they stand in model files; empty where it is
// not known: no training, or a file from before this was recorded.
struct TrainedWith {
  std::string compute = {};  // the idelta_format that multiplied: "f32", "bf16", ...
  std::string bf16_product;  // in bf16: "widened" or "rounded", see idelta_bf16_product
  // Every one of TrainOptions; images and data_hash of the training set, whatever its name; steps that were taken.
  Settings settings = {};
};

class Forms;

// Of one layer.
struct LayerParameters {
  std::vector<float> delta = {};  // n x n, in x out
  std::vector<float> bias = {};   // n
};

// Owns D, in packed form, and b of every layer, and shares the context. Made in format F32, whose packed form is D to
// the bit; in others D is kept beside it in fp32. May be moved, also while a Trainer trains it; one that was moved from
// may only be destroyed or assigned to.
class Network {
 public:
  Network(const Context& context, const NetworkOptions& options);  // the identity: every D and b zero
  // Asks for the parameters of layers 0 .. L-1, in order, and packs each once.
  Network(const Context& context, const NetworkOptions& options,
          const std::function<LayerParameters(int64_t layer)>& parameters);
  Network(Network&&) = default;
  Network& operator=(Network&&) = default;

  const NetworkOptions& options() const { return state_->options; }
  const Context& context() const { return state_->context; }
  int64_t layers() const { return state_->options.layers; }
  int64_t n() const { return state_->options.n(); }

  std::vector<float> delta(int64_t layer) const;  // n x n, in x out: a copy in fp32, whatever format computes
  std::span<const float> bias(int64_t layer) const { return state_->layers[static_cast<size_t>(layer)].bias; }  // n
  LayerParameters parameters(int64_t layer) const { return {delta(layer), {bias(layer).begin(), bias(layer).end()}}; }
  idelta_activation activation(int64_t layer) const;  // identity for the last layer
  const Delta& packed(int64_t layer) const { return *state_->layers[static_cast<size_t>(layer)].packed; }

  // The format in which x D and dz D^T are computed from now on; rank and tail are for LOW_RANK, 0 and none in others.
  // D itself does not change. A format that the library refuses throws and leaves the network as it was.
  void set_compute(idelta_format format, int64_t rank = 0, idelta_tail tail = IDELTA_TAIL_NONE);
  idelta_format compute() const { return state_->compute; }

  // Of the last training; load_model brings it from the file.
  const TrainedWith& trained_with() const { return state_->trained_with; }
  void set_trained_with(TrainedWith how) { state_->trained_with = std::move(how); }

  // Cheaper forms of this very network, which predict() may use: none until compress() or a file gives them, and none
  // again once D or b of a layer changes. set_forms takes null, and refuses forms of other sizes; that they were made
  // of these D and b is the caller's word, which attach_forms and save_model check.
  const Forms* forms() const { return state_->forms.get(); }
  void set_forms(std::shared_ptr<const Forms> forms);

  // Whether D is there. A file that dropped it gives a network of what its forms hold of it: delta() is that,
  // compute() LOW_RANK. Once a layer changes, by set_layer or training, that is the network's own D.
  bool has_dense() const { return state_->has_dense; }

  // Replaces a layer's parameters and repacks them.
  void set_layer(int64_t layer, std::span<const float> delta, std::span<const float> bias);

  // rows x n inputs from rows x P images: pixels, then C entries of class_padding.
  void pad(std::span<const float> images, int64_t rows, float* h0) const;

  // h^layers from h^0, (rows x n); outputs[l] (l = 0 .. L-1) receives h^{l+1}; contributions[l], if given, z - a x.
  // All outputs may be one buffer, which then ends as h^L; nothing else may overlap.
  void forward(int64_t rows, const float* h0, std::span<float* const> outputs,
               std::span<float* const> contributions = {}) const;

 private:
  friend class Trainer;
  friend struct WithoutDense;
  friend void attach_forms(const Network& compressed, Network& dense);
  struct Layer {
    std::vector<float> bias;
    std::vector<float> master;  // D in panels, unless the packed form is
    std::unique_ptr<Delta> packed;
  };
  // At one address wherever the Network is moved; a Trainer shares it.
  struct State {
    Context context;
    NetworkOptions options;
    idelta_format compute = IDELTA_FORMAT_F32;
    int64_t rank = 0;  // of LOW_RANK
    idelta_tail tail = IDELTA_TAIL_NONE;
    TrainedWith trained_with;
    std::vector<Layer> layers;
    std::shared_ptr<const Forms> forms;
    bool has_dense = true;
  };
  explicit Network(std::shared_ptr<State> shared) : state_(std::move(shared)) {}
  void check_sizes(std::span<const float> delta, std::span<const float> bias) const;
  std::unique_ptr<Delta> pack(int64_t layer, std::span<const float> delta, idelta_format format, int64_t rank = 0,
                              idelta_tail tail = IDELTA_TAIL_NONE) const;

  std::shared_ptr<State> state_;
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_NETWORK_HPP
