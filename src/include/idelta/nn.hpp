// Identity-initialised multilayer perceptrons on libidelta: data, network, training, decomposition, model files.
//
//   h^0 = [image in [0,1], padding ... padding]                      width n = P + C: P pixels, C class dimensions
//   h^l = act(a h^{l-1} + h^{l-1} D^l + b^l),  l = 1 .. L;  the last layer is linear;  D = 0, b = 0 at the start
//   loss = softmax cross-entropy on the last C entries of h^L
//
// Decomposition (Kubota, Hayashi, Hayase, Uchida, ICASSP 2021): for every l,
//   class likelihood  softmax(h^l[P:P+C]),   contribution map  h^l[0:P] - h^0[0:P],   layer accuracy from the former.
// Everything throws std::exception with a sentence that names the file or argument, its value and the mend.
#ifndef IDELTA_NN_HPP
#define IDELTA_NN_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "idelta/idelta.hpp"

namespace idelta::nn {

// A number that should be finite is not: parameters or images so large that products of them overflow. The sentence
// names the layer and the image.
class NotFinite : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// ---- Data ----------------------------------------------------------------------------------------------------------

// count images of height x width, row-major, scaled to [0, 1]; label c in [0, classes). A loaded set has classes =
// largest label of its file + 1, so a small test split may have fewer than its training split: a network wants the
// latter's.
struct Dataset {
  std::string name;
  int64_t count = 0, height = 0, width = 0, classes = 0;
  std::vector<float> images;  // count x (height * width)
  std::vector<uint8_t> labels;
  std::string images_path, labels_path;  // where it was read; empty if it was made otherwise

  int64_t pixels() const { return height * width; }
};

enum class Split { kTrain, kTest };

inline constexpr int64_t kAllImages = INT64_MAX;

// "fashion-mnist" ($IDELTA_DATA/fashion-mnist if IDELTA_DATA is set, else Debian's dataset-fashion-mnist) or a folder
// that holds the four IDX files under their usual names, plain or .gz: train-images-idx3-ubyte[.gz],
// train-labels-idx1-ubyte[.gz], t10k-..., or train-images.idx3-ubyte[.gz], ... A folder of that very name in the
// working directory is "./fashion-mnist". Of the images only the first `most` are read, and memory is taken for no
// more.
Dataset load_dataset(const std::string& name_or_folder, Split split, int64_t most = kAllImages);

// One pair of IDX files (unsigned bytes; images of rank 3, labels of rank 1), plain or gz whatever their names.
Dataset load_idx(const std::string& images_path, const std::string& labels_path, int64_t most = kAllImages);

// Sentences about classes, of so many, that a training set has no image of.
std::vector<std::string> warnings(const Dataset& data, int64_t classes);

// The first `count` images of a set (all if it has fewer).
Dataset head(const Dataset& data, int64_t count);

// ---- Network -------------------------------------------------------------------------------------------------------

struct NetworkOptions {
  int64_t layers = 10;
  int64_t height = 28, width = 28, classes = 10;
  float identity_scale = 1.0f;
  // Layer accuracy rises through the whole depth; with hard_tanh it falls again before the last layer.
  idelta_activation activation = {IDELTA_ACTIVATION_LEAKY_RELU, 0.1f};
  float class_padding = 0.0f;

  int64_t pixels() const { return height * width; }
  int64_t n() const { return pixels() + classes; }
};

// Sentences about settings that work but disappoint, e.g. ReLU with padding 0: its class dimensions never learn.
std::vector<std::string> warnings(const NetworkOptions& options);

// How the products were computed while a network was trained, on which the bits of its D depend. Names, as they stand
// in model files; empty where it is not known: no training, or a file from before this was recorded.
struct TrainedWith {
  std::string compute;       // the idelta_format that multiplied: "f32", "bf16", ...
  std::string bf16_product;  // in bf16: "widened" or "rounded", see idelta_bf16_product
};

class Forms;

// Owns D, in packed form, and b of every layer, and shares the context. Made in format F32, whose packed form is D to
// the bit; in others D is kept beside it in fp32. May be moved, also while a Trainer trains it; one that was moved from
// may only be destroyed or assigned to.
class Network {
 public:
  Network(const Context& context, const NetworkOptions& options);  // the identity: every D and b zero
  Network(Network&&) = default;
  Network& operator=(Network&&) = default;

  const NetworkOptions& options() const { return state_->options; }
  const Context& context() const { return state_->context; }
  int64_t layers() const { return state_->options.layers; }
  int64_t n() const { return state_->options.n(); }

  std::vector<float> delta(int64_t layer) const;  // n x n, in x out: a copy in fp32, whatever format computes
  std::span<const float> bias(int64_t layer) const { return state_->layers[static_cast<size_t>(layer)].bias; }  // n
  idelta_activation activation(int64_t layer) const;  // identity for the last layer
  const Delta& packed(int64_t layer) const { return *state_->layers[static_cast<size_t>(layer)].packed; }

  // The format in which x D and dz D^T are computed from now on; rank is for LOW_RANK, 0 in others. D itself does not
  // change. A format that the library refuses throws and leaves the network as it was.
  void set_compute(idelta_format format, int64_t rank = 0);
  idelta_format compute() const { return state_->compute; }

  // Of the last training; load_model brings it from the file.
  const TrainedWith& trained_with() const { return state_->trained_with; }
  void set_trained_with(TrainedWith how) { state_->trained_with = std::move(how); }

  // Cheaper forms of this very network, which predict() may use: none until compress() or a file gives them, and none
  // again once D or b of a layer changes. set_forms takes null, and refuses forms of other sizes; that they were made
  // of these D and b is the caller's word, which attach_forms and save_model check.
  const Forms* forms() const { return state_->forms.get(); }
  void set_forms(std::shared_ptr<const Forms> forms);

  // Whether D is there. A file that dropped it gives a network of its most precise form: delta() is then U V, and
  // compute() LOW_RANK. Once a layer changes, by set_layer or training, that U V is the network's own D.
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
    TrainedWith trained_with;
    std::vector<Layer> layers;
    std::shared_ptr<const Forms> forms;
    bool has_dense = true;
  };
  explicit Network(std::shared_ptr<State> shared) : state_(std::move(shared)) {}
  std::unique_ptr<Delta> pack(int64_t layer, std::span<const float> delta, idelta_format format, int64_t rank) const;

  std::shared_ptr<State> state_;
};

// ---- Training ------------------------------------------------------------------------------------------------------

struct TrainOptions {
  int64_t epochs = 3;
  int64_t batch = 128;
  float learning_rate = 0.0f;  // 0: 0.03 / layers
  int64_t decay_epochs = 0;    // the rate is divided by 10 for this many last epochs
  idelta_optimizer_kind optimizer = IDELTA_OPTIMIZER_MOMENTUM;
  float momentum = 0.9f;
  float weight_decay = 0.0f;  // on D, never on W
  // Of every product while training, gradients too; D, its updates, all sums and the residual stream stay fp32.
  idelta_format compute = IDELTA_FORMAT_F32;
  uint64_t seed = 1;  // of the shuffling; the same seed gives the same bits at any thread count
};

float effective_learning_rate(const TrainOptions& options, int64_t layers, int64_t epoch);

struct Progress {
  int64_t epoch = 0, epochs = 0;   // epoch counts from 0
  int64_t batch = 0, batches = 0;  // of this epoch, done
  double loss = 0, accuracy = 0;   // running means of this epoch
  double images_per_second = 0, seconds = 0, seconds_left = 0;
};

// One training run, which leaves the network computing in options.compute; state survives between calls of run(), so
// that a caller may stop, look and go on. A loss that is not finite throws, before the parameters change. Parameters,
// optimiser state and the outputs for the last batch are checked to be finite after every epoch and when run() stops;
// what is not throws, with the epoch, the rate and what to change.
//
// It shares the network's parameters, and trains them wherever the Network is moved. Of the data it keeps the addresses
// of images and labels: the set may be moved, but must outlive it and keep its size.
class Trainer {
 public:
  Trainer(Network& network, const Dataset& data, const TrainOptions& options);
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

  // Called after every batch; returning false stops after that batch with the network whole.
  using Observer = std::function<bool(const Progress&)>;

  // Runs the epochs that are left; true if none is left, false if the observer stopped it.
  bool run(const Observer& observer = {});

  // One step on at most a batch of given images, besides those of run(); the mean loss before it.
  double step(std::span<const float> images, std::span<const uint8_t> labels, float learning_rate);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// ---- Compression ---------------------------------------------------------------------------------------------------

// One cheaper form of a whole network: what each layer multiplies.
inline constexpr int64_t kDense = -1;
struct Form {
  std::string name;            // "rank 32", "sigma 0.01", ...
  std::vector<int64_t> ranks;  // of each layer: columns of U; or kDense: D itself, in F32

  double multiplications(int64_t n) const;  // as a share of the dense network's
};

// Proved upper bounds of one layer, which need no form.
struct LayerBounds {
  double norm = 0;         // ||a I + D||_2
  double delta_norm = 0;   // ||D||_2
  double dense_error = 0;  // certificate of the dense F32 pass: ||z^ - z|| <= dense_error ||x||, with b = 0
};

// Forms of one network, cheapest first: from one to the next no layer's rank falls, and dense stays dense. Each layer's
// factors are there at the largest rank that a form has (a form's are the first columns of U and rows of V), with what
// was proved of them. Immutable, so that networks may share it.
class Forms {
 public:
  static constexpr size_t kMost = 8;

  struct Layer {
    int64_t rank = 0;                  // columns of U
    std::vector<float> U, V;           // n x rank, rank x n
    LayerBounds bounds;                // of D
    std::vector<LowRankProof> proofs;  // of each form; unused where it is dense
    // Hashes of the D and b that they were made of. They tell another network or damage, not malice.
    uint64_t delta_hash = 0, bias_hash = 0;
  };

  Forms(const Context& context, int64_t n, float identity_scale, std::vector<Form> forms, std::vector<Layer> layers);

  int64_t n() const { return n_; }
  size_t count() const { return forms_.size(); }
  const Form& form(size_t f) const { return forms_[f]; }
  const std::vector<Layer>& layers() const { return layers_; }
  // What a layer of a form multiplies; null: D itself.
  const Delta* packed(size_t f, int64_t layer) const { return packed_[f][static_cast<size_t>(layer)].get(); }

 private:
  int64_t n_;
  std::vector<Form> forms_;
  std::vector<Layer> layers_;
  std::vector<std::vector<std::unique_ptr<Delta>>> packed_;
};

// How ranks are chosen. At most one of the three; with none of them the sample decides: the forms with which labels
// with a guarantee take the fewest multiplications.
struct CompressOptions {
  int64_t rank = 0;      // of every layer, or what it has
  double sigma = 0;      // singular values of D above it are kept, and at least 16, or what D has
  double tolerance = 0;  // the least rank whose certificate is within it
};

// What was considered, and what became of it.
struct Considered {
  std::string name;            // of a form, or of a layer's form
  double multiplications = 0;  // share of the dense network's
  double settled = 0;          // share of the sample's labels that it certifies; -1: not tried
  std::string verdict;         // "first form", "lost: ...", ...
};

// Factorises every layer and proves its bounds. The network must have D, in any format; sample is read only where
// `options` leave the choice to it. progress(done, of) is called between layers.
std::shared_ptr<const Forms> compress(const Network& network, const CompressOptions& options, const Dataset& sample,
                                      std::vector<Considered>* considered = nullptr,
                                      const std::function<void(int64_t, int64_t)>& progress = {});

// Puts the forms of `compressed`, which may have dropped D, onto the dense network they were made of; throws if it is
// another.
void attach_forms(const Network& compressed, Network& dense);

// ---- Prediction ----------------------------------------------------------------------------------------------------

struct PredictOptions {
  // Labels of this form alone, without a guarantee; kDense: of the dense F32 network. Not read with `guarantee`.
  int64_t form = kDense;
  // Labels that are provably those of the dense F32 network: the cheapest form goes first, and only rows that are not
  // certified go on to more precise ones; the last is the dense network itself. Those that a form settled are also the
  // labels of the network in exact arithmetic. Needs forms and D.
  bool guarantee = false;
  int64_t batch = 512;  // rows at a time; changes no bit of the results
};

// Labels are argmax over the class dimensions of h^L, the lowest of equals.
struct Predictions {
  std::vector<uint8_t> labels;
  // With guarantee. The label of row i is certified since margins[i] > bounds[i]: by how much its logit exceeds that of
  // the class that comes nearest to overtaking it, and by how much the two could be off. Both are 0 where the dense
  // network itself gave the label.
  std::vector<float> margins, bounds;
  std::vector<uint8_t> settled_by;  // index into `forms`
  std::vector<std::string> forms;   // names; the last is "dense"
  std::vector<int64_t> settled;     // rows that each form settled
  std::vector<int64_t> tried;       // rows that each form computed
  double seconds = 0;               // of the passes over the set, nothing else
};

// Throws NotFinite for an image whose logits in the dense network are.
Predictions predict(const Network& network, const Dataset& data, const PredictOptions& options = {});

// ---- Decomposition -------------------------------------------------------------------------------------------------

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

// The last layer's accuracy alone, without the cost of the rest: share of labels that argmax h^L names.
double accuracy(const Network& network, const Dataset& data, int64_t batch = 512);

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

// ---- Model files ---------------------------------------------------------------------------------------------------

struct SaveOptions {
  // Leaves out every D that the most precise form does not multiply. The file is then much smaller, and gives labels
  // without a guarantee. Needs forms; without effect on a network whose D was dropped before.
  bool drop_dense = false;
};

// safetensors: layers.<l>.delta [n, n] and layers.<l>.bias [n], F32; the configuration in __metadata__. Of a network
// that has forms also layers.<l>.U [n, r] and layers.<l>.V [r, n], and in the metadata what was proved of them, with
// hashes of everything, so that load_model refuses a file whose parts do not belong together; other models have hashes
// too, unless they are older. The file appears whole or not at all, so that a failed save leaves the old one whole.
// Links are followed, and a file that is replaced keeps its mode, and its owner where the system lets us; what is no
// regular file is refused.
void save_model(const std::string& path, const Network& network, const SaveOptions& options = {});
Network load_model(const Context& context, const std::string& path);

}  // namespace idelta::nn

#endif  // IDELTA_NN_HPP
