// Cheaper forms of a network, and labels that are provably those of the dense one.
#ifndef IDELTA_NN_COMPRESSION_HPP
#define IDELTA_NN_COMPRESSION_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "idelta/nn/data.hpp"
#include "idelta/nn/network.hpp"

namespace idelta::nn {

// One cheaper form of a whole network: what each layer multiplies.
inline constexpr int64_t kDense = -1;
struct Form {
  std::string name;            // "rank 32", "sigma 0.01 + int8", ...
  std::vector<int64_t> ranks;  // of each layer: columns of U; or kDense: D itself, in F32
  // Of each layer: whether INT8 holds what U V leaves; may be empty: in none.
  std::vector<idelta_tail> tails = {};

  bool has_tail(size_t layer) const { return layer < tails.size() && tails[layer] != IDELTA_TAIL_NONE; }
  double multiplications(int64_t n) const;  // in fp32, as a share of the dense network's: without those of tails
};

// What a row takes in a form, as a share of the dense F32 network's time: what the cost model predicts for batches of
// 512 rows on one thread of this machine (predicted_seconds()).
double expected_time(const Context& context, const Form& form, int64_t n);

// Proved upper bounds of one layer, which need no form.
struct LayerBounds {
  double norm = 0;         // ||a I + D||_2
  double delta_norm = 0;   // ||D||_2
  double dense_error = 0;  // certificate of the dense F32 pass: ||z^ - z|| <= dense_error ||x||, with b = 0
};

// Forms of one network, in the order of its file: from one without tails to the next no layer's rank falls, and dense
// stays dense. Each layer's factors are there at the largest rank that a form has (a form's are the first columns of U
// and rows of V), and at most one tail, with what was proved of them. Immutable, so that networks may share it.
class Forms {
 public:
  static constexpr size_t kMost = 8;

  // What the first `rank` columns of U leave of D, as integers: D ~ U V + R, R = q times the scales of its columns.
  struct Tail {
    int64_t rank = 0;
    std::vector<int8_t> q;       // n x n, -63 .. 63
    std::vector<float> scales;   // n, each 0 or a normal number
    std::vector<float> V;        // rank x n: U^T (D - R), since rounding R moved some of it into U's span
    double reverse_overlap = 0;  // || V R^T ||_2
  };

  struct Layer {
    int64_t rank = 0;                  // columns of U
    std::vector<float> U, V;           // n x rank, rank x n
    LayerBounds bounds;                // of D
    std::vector<LowRankProof> proofs;  // of each form; unused where it is dense
    // Hashes of the D and b that they were made of. They tell another network or damage, not malice.
    uint64_t delta_hash = 0, bias_hash = 0;
    std::optional<Tail> tail = {};  // of all forms that have one here
  };

  Forms(const Context& context, int64_t n, float identity_scale, std::vector<Form> forms, std::vector<Layer> layers);

  int64_t n() const { return n_; }
  size_t count() const { return forms_.size(); }
  const Form& form(size_t f) const { return forms_[f]; }
  double time(size_t f) const { return times_[f]; }  // expected_time()
  const std::vector<size_t>& fastest_first() const { return fastest_first_; }
  const std::vector<Layer>& layers() const { return layers_; }
  // What a layer of a form multiplies; null: D itself.
  const Delta* packed(size_t f, int64_t layer) const { return packed_[f][static_cast<size_t>(layer)].get(); }
  // The same for other passes; options.format is not read.
  std::unique_ptr<Delta> pack(const Context& context, size_t f, int64_t layer, DeltaOptions options) const;

 private:
  int64_t n_;
  std::vector<Form> forms_;
  std::vector<Layer> layers_;
  std::vector<std::vector<std::unique_ptr<Delta>>> packed_;
  std::vector<double> times_;
  std::vector<size_t> fastest_first_;
};

// How ranks are chosen. At most one of the three; with none of them the sample decides: the forms with which labels
// with a guarantee are expected to take the least time.
struct CompressOptions {
  int64_t rank = 0;      // of every layer, or what it has
  double sigma = 0;      // singular values of D above it are kept, and at least 16, or what D has
  double tolerance = 0;  // the least rank whose certificate is within it
  // Whether layers keep what U V leaves in INT8, unless U V is all of D. With a tail none of the three need be given:
  // ranks are then 0, and D is in INT8.
  idelta_tail tail = IDELTA_TAIL_NONE;

  bool operator==(const CompressOptions&) const = default;
};

// What was considered, and what became of it.
struct Considered {
  std::string name;            // of a form
  double multiplications = 0;  // share of the dense network's, in fp32
  double time = 0;             // expected_time()
  double settled = 0;          // share of the sample's labels that it certifies; -1: not tried
  std::string verdict;         // "first form: ...", "lost: ...", ...
};

// Factorises every layer and proves its bounds. The network must have D, in any format; sample is read only where
// `options` leave the choice to it. progress(done, of) is called between layers.
std::shared_ptr<const Forms> compress(const Network& network, const CompressOptions& options, const Dataset& sample,
                                      std::vector<Considered>* considered = nullptr,
                                      const std::function<void(int64_t, int64_t)>& progress = {});

// Puts the forms of `compressed`, which may have dropped D, onto the dense network they were made of; throws if it is
// another.
void attach_forms(const Network& compressed, Network& dense);

struct PredictOptions {
  // Labels of this form alone, without a guarantee; kDense: of the dense F32 network. Not read with `guarantee`.
  int64_t form = kDense;
  // Labels that are provably those of the dense F32 network: the fastest form goes first, and only rows that are not
  // certified go on to slower ones; the last is the dense network itself. Those that a form settled are also the
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
// The same of rows x P images without a set around them.
Predictions predict(const Network& network, int64_t rows, const float* images, const PredictOptions& options = {});

}  // namespace idelta::nn

#endif  // IDELTA_NN_COMPRESSION_HPP
