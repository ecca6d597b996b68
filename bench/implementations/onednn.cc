// oneDNN at its best: matmul primitives with prepacked D (format any, reordered once), bias, binary_add of x and clip
// as post-ops of the forward; primitives and memory made once. Its backward has no fused activation, so that loop is
// ours. An update accumulates into the momentum (sum as a post-op, one loop over D left) and must reorder
// the new D for both directions, all of it counted.
#include <dnnl.hpp>

#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "bench/implementation.h"
#include "bench/implementations/loops.h"

namespace idelta::bench {

namespace {

using Arguments = std::unordered_map<int, dnnl::memory>;
using Tag = dnnl::memory::format_tag;

constexpr int kPostOpSource = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

dnnl::memory::desc matrix_desc(int64_t rows, int64_t columns, Tag tag) {
  return {{rows, columns}, dnnl::memory::data_type::f32, tag};
}

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// oneDNN has no function that names its ISA.
std::string isa_name() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "unnamed";
  }
}

// One matmul and its memory.
struct Matmul {
  dnnl::matmul primitive;
  Arguments arguments;
  void run(dnnl::stream& stream) { primitive.execute(stream, arguments); }
};

class Onednn : public Implementation {
 public:
  Onednn(const Problem& problem, const Inputs& inputs) : Implementation(problem, inputs, false), stream_(cpu()) {
    const Pass pass = problem.pass;
    if (pass == Pass::kForward || problem.trains()) make_forward();
    if (pass == Pass::kBackwardData || problem.trains()) make_backward_data();
    if (pass == Pass::kBackwardWeights) make_backward_weights(memory_.gradient.data(), 0.0f);
    if (problem.trains()) make_backward_weights(memory_.velocity.data(), kMomentum);
    pack_all();
  }

  void run() override {
    switch (problem_.pass) {
      case Pass::kForward:
        forward_.run(stream_);
        break;
      case Pass::kBackwardData:
        backward_data();
        break;
      case Pass::kBackwardWeights:
        backward_weights_.run(stream_);
        loops::column_sums(problem_.m, problem_.n, memory_.dz.data(), 0.0f, memory_.bias_gradient.data());
        break;
      case Pass::kUpdate:
        update();
        break;
      case Pass::kTrainStep:
        forward_.run(stream_);
        backward_data();
        update();
        break;
    }
    stream_.wait();
  }

 private:
  // A reorder of the plain D (or its transpose) into what one matmul asked for.
  struct Packing {
    dnnl::memory plain, packed;
    dnnl::reorder reorder;
  };

  dnnl::memory view(Buffer& buffer, int64_t rows, int64_t columns, Tag tag = Tag::ab) {
    return dnnl::memory(matrix_desc(rows, columns, tag), cpu(), buffer.data());
  }

  dnnl::memory pack_weights(const dnnl::matmul::primitive_desc& wanted, Tag plain_tag) {
    Packing packing;
    packing.plain = view(memory_.weights, problem_.n, problem_.n, plain_tag);
    packing.packed = dnnl::memory(wanted.weights_desc(), cpu());
    packing.reorder = dnnl::reorder(packing.plain, packing.packed);
    packings_.push_back(packing);
    return packing.packed;
  }

  void make_forward() {
    const int64_t m = problem_.m, n = problem_.n;
    dnnl::post_ops post;
    post.append_binary(dnnl::algorithm::binary_add, matrix_desc(m, n, Tag::ab));
    post.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, -1.0f, 1.0f);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(post);
    const dnnl::matmul::desc desc(matrix_desc(m, n, Tag::ab), matrix_desc(n, n, Tag::any), matrix_desc(1, n, Tag::ab),
                                  matrix_desc(m, n, Tag::ab));
    const dnnl::matmul::primitive_desc wanted(desc, attributes, cpu());
    forward_ = {dnnl::matmul(wanted),
                {{DNNL_ARG_SRC, view(memory_.x, m, n)},
                 {DNNL_ARG_WEIGHTS, pack_weights(wanted, Tag::ab)},
                 {DNNL_ARG_BIAS, view(memory_.bias, 1, n)},
                 {DNNL_ARG_DST, view(memory_.y, m, n)},
                 {kPostOpSource, view(memory_.x, m, n)}}};
  }

  void make_backward_data() {
    const int64_t m = problem_.m, n = problem_.n;
    dnnl::post_ops post;
    post.append_binary(dnnl::algorithm::binary_add, matrix_desc(m, n, Tag::ab));
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(post);
    const dnnl::matmul::desc desc(matrix_desc(m, n, Tag::ab), matrix_desc(n, n, Tag::any), matrix_desc(m, n, Tag::ab));
    const dnnl::matmul::primitive_desc wanted(desc, attributes, cpu());
    backward_data_ = {dnnl::matmul(wanted),
                      {{DNNL_ARG_SRC, view(memory_.dz, m, n)},
                       {DNNL_ARG_WEIGHTS, pack_weights(wanted, Tag::ba)},
                       {DNNL_ARG_DST, view(memory_.dx, m, n)},
                       {kPostOpSource, view(memory_.dz, m, n)}}};
  }

  // target = beta target + x^T dz
  void make_backward_weights(float* target, float beta) {
    const int64_t m = problem_.m, n = problem_.n;
    dnnl::primitive_attr attributes;
    if (beta != 0.0f) {
      dnnl::post_ops post;
      post.append_sum(beta);
      attributes.set_post_ops(post);
    }
    const dnnl::matmul::desc desc(matrix_desc(n, m, Tag::ba), matrix_desc(m, n, Tag::ab), matrix_desc(n, n, Tag::ab));
    const dnnl::matmul::primitive_desc wanted(desc, attributes, cpu());
    backward_weights_ = {dnnl::matmul(wanted),
                         {{DNNL_ARG_SRC, view(memory_.x, n, m, Tag::ba)},
                          {DNNL_ARG_WEIGHTS, view(memory_.dz, m, n)},
                          {DNNL_ARG_DST, dnnl::memory(matrix_desc(n, n, Tag::ab), cpu(), target)}}};
  }

  void weights_changed() override { pack_all(); }

  void pack_all() {
    for (Packing& packing : packings_) packing.reorder.execute(stream_, packing.plain, packing.packed);
    stream_.wait();
  }

  void backward_data() {
    loops::hard_tanh_gradient(problem_.m, problem_.n, memory_.dy.data(), memory_.y.data(), memory_.dz.data(), nullptr);
    backward_data_.run(stream_);
  }

  void update() {
    backward_weights_.run(stream_);
    loops::column_sums(problem_.m, problem_.n, memory_.dz.data(), kMomentum, memory_.bias_velocity.data());
    loops::step(memory_.weights.size(), learning_rate_, memory_.velocity.data(), memory_.weights.data());
    loops::step(memory_.bias.size(), learning_rate_, memory_.bias_velocity.data(), memory_.bias.data());
    pack_all();
  }

  dnnl::stream stream_;
  std::vector<Packing> packings_;
  Matmul forward_, backward_data_, backward_weights_;
};

}  // namespace

ImplementationEntry onednn_entry() {
  // Both sides show AVX2, or neither. oneDNN takes a limit only before its first primitive.
  const char* isa = std::getenv("IDELTA_ISA");
  if (isa != nullptr && std::strcmp(isa, "avx2") == 0 && std::getenv("DNNL_MAX_CPU_ISA") == nullptr) {
    dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
  }
  return {.name = "onednn",
          .format = "f32",
          .isa = [](idelta_isa) { return isa_name(); },
          .identity_apart = false,
          .rival = true,
          .make = [](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
            return std::make_unique<Onednn>(problem, inputs);
          }};
}

}  // namespace idelta::bench
