// A network by oneDNN: a matmul a layer with prepacked weights, bias and activation fused, and x added as a post-op
// where the identity is not in the weights. Primitives are made once for each number of rows. Format bf16: D in bf16,
// and each layer's x reordered to it; sums, outputs and the x that is added in fp32 (onednn.cc says why).
#include <map>
#include <vector>

#include "bench/implementation.h"
#include "bench/implementations/layered_labeller.h"
#include "bench/implementations/onednn.h"

namespace idelta::bench {

namespace {

void append_activation(dnnl::post_ops& post, idelta_activation activation) {
  switch (activation.kind) {
    case IDELTA_ACTIVATION_RELU:
      return post.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return post.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, activation.slope, 0.0f);
    case IDELTA_ACTIVATION_HARD_TANH:
      return post.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, -1.0f, 1.0f);
    case IDELTA_ACTIVATION_TANH:
      return post.append_eltwise(1.0f, dnnl::algorithm::eltwise_tanh, 0.0f, 0.0f);
    default:
      return;
  }
}

class OnednnNetwork : public LayeredLabeller {
 public:
  OnednnNetwork(const NetworkProblem& problem, Type type, Identity identity, int64_t batch)
      : LayeredLabeller(problem, batch), type_(type), identity_(identity), stream_(cpu()) {
    for (int64_t l = 0; l < problem.layers; ++l) {
      weights_.push_back(weights_of(problem, l, identity));
      bias_.emplace_back().copy_from(problem.bias[size_t(l)]);
    }
  }

 private:
  struct Layer {
    Matrix x, weights;
    Matmul matmul;
  };

  const float* forward(int64_t rows) override {
    std::vector<Layer>& layers = layers_[rows];
    if (layers.empty()) {
      for (int64_t l = 0; l < problem_.layers; ++l) layers.push_back(make_layer(l, rows));
    }
    for (Layer& layer : layers) {
      layer.x.convert(stream_);
      layer.matmul.run(stream_);
    }
    stream_.wait();
    return output(problem_.layers - 1);
  }

  // Columns of a matrix that is n wide.
  dnnl::memory::desc columns_desc(int64_t rows, int64_t columns) const {
    return {{rows, columns}, Type::f32, dnnl::memory::dims{problem_.n, 1}};
  }

  // Labels need no more of the last layer than the class columns.
  Layer make_layer(int64_t l, int64_t rows) {
    const int64_t n = problem_.n, first = l + 1 == problem_.layers ? problem_.pixels : 0, columns = n - first;
    const dnnl::memory::desc outputs = columns_desc(rows, columns);
    dnnl::post_ops post;
    if (identity_ == Identity::kApart) post.append_binary(dnnl::algorithm::binary_add, outputs);
    if (!problem_.is_linear(l)) append_activation(post, problem_.activation);
    const dnnl::memory x(matrix_desc(rows, n), cpu(), input(l));
    Layer layer;
    layer.x = Matrix(x, matrix_desc(rows, n, Tag::ab, type_));
    const dnnl::matmul::desc desc(layer.x.read().get_desc(), matrix_desc(n, columns, Tag::any, type_),
                                  matrix_desc(1, columns), outputs);
    const dnnl::matmul::primitive_desc wanted(desc, with(post), cpu());
    layer.weights = Matrix(dnnl::memory(columns_desc(n, columns), cpu(), weights_[size_t(l)].data() + first),
                           wanted.weights_desc());
    layer.weights.convert(stream_);
    stream_.wait();
    layer.matmul = {dnnl::matmul(wanted),
                    {{DNNL_ARG_SRC, layer.x.read()},
                     {DNNL_ARG_WEIGHTS, layer.weights.read()},
                     {DNNL_ARG_BIAS, dnnl::memory(matrix_desc(1, columns), cpu(), bias_[size_t(l)].data() + first)},
                     {DNNL_ARG_DST, dnnl::memory(outputs, cpu(), output(l) + first)}}};
    if (identity_ == Identity::kApart) {
      layer.matmul.arguments.insert({kPostOpSource, dnnl::memory(outputs, cpu(), input(l) + first)});
    }
    return layer;
  }

  const Type type_;  // of what is multiplied
  const Identity identity_;
  dnnl::stream stream_;
  std::vector<Buffer> weights_, bias_;
  std::map<int64_t, std::vector<Layer>> layers_;  // by rows: those of a batch, and those of the last one
};

NetworkEntry entry_of(const char* format, Type type, std::vector<std::string> variants, double rounding) {
  NetworkEntry entry;
  entry.name = "onednn";
  entry.format = format;
  entry.isa = onednn_isa_name();
  entry.rival = true;
  entry.rounding = rounding;
  entry.variants = std::move(variants);
  const std::vector<std::string> names = entry.variants;
  entry.make = [type, names](const NetworkProblem& problem, size_t variant,
                             int64_t batch) -> std::unique_ptr<Labeller> {
    const Identity identity = names[variant] == "W" ? Identity::kInWeights : Identity::kApart;
    return std::make_unique<OnednnNetwork>(problem, type, identity, batch);
  };
  return entry;
}

}  // namespace

std::vector<NetworkEntry> onednn_network_entries() {
  limit_onednn_isa();
  std::vector<NetworkEntry> entries = {entry_of("f32", Type::f32, {"W", "D"}, kNetworkRounding)};
  // W in bf16 would round the identity path too.
  if (onednn_multiplies_bf16()) entries.push_back(entry_of("bf16", Type::bf16, {"D"}, kBf16Rounding));
  return entries;
}

}  // namespace idelta::bench
