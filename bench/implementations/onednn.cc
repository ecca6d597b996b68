// oneDNN at its best: matmul primitives with prepacked D (format any, reordered once), bias, binary_add of x and clip
// as post-ops of the forward; primitives and memory made once. Its backward has no fused activation, so that loop is
// ours. An update accumulates into the momentum (sum as a post-op, one loop over D left) and must reorder the new D for
// both directions, all of it counted.
//
// Format bf16: D, and x and dz where they are multiplied, in bf16; sums, outputs and the x that is added in fp32. 2.6.3
// takes no fp32 source with bf16 weights, and its fpmath_mode bf16 multiplied in fp32 (Zen 5), so x and dz are
// reordered to bf16, once a call, all of it counted. Plain bf16 is the order to convert to: transposed for x^T dz, or
// in the order that `any` asks for, the conversion costs four to six times as much and the matmul gains less (m 16,
// 512).
#include "bench/implementations/onednn.h"

#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "bench/implementation.h"
#include "bench/implementations/loops.h"
#include "src/core/machine/environment.h"

namespace idelta::bench {

namespace {

class Onednn : public Implementation {
 public:
  Onednn(const Problem& problem, const Inputs& inputs, Type type)
      : Implementation(problem, inputs, false, codes()),
        type_(type),
        x_is_converted_(problem.pass.has("forward")),
        dz_is_converted_(problem.pass.has("backward_data")),
        stream_(cpu()) {
    const bool trains = problem.pass.trains();
    if (memory_.x.size() != 0) x_ = rows_matrix(memory_.x);
    if (memory_.dz.size() != 0) dz_ = rows_matrix(memory_.dz);
    if (problem.pass.has("forward") || trains) make_forward();
    if (problem.pass.has("backward_data") || trains) make_backward_data();
    if (problem.pass.has("backward_weights")) make_backward_weights(memory_.gradient.data(), 0.0f);
    if (trains) make_backward_weights(memory_.velocity.data(), kMomentum);
    Onednn::weights_changed();
  }

  static StageCodes codes() {
    return {code("forward", &Onednn::forward), code("backward_data", &Onednn::backward_data),
            code("backward_weights", &Onednn::backward_weights), code("update", &Onednn::update)};
  }

  void run() override {
    Implementation::run();
    stream_.wait();
  }

  double operand_rounding() const override { return type_ == Type::bf16 ? kBf16Rounding : 0.0; }

 private:
  dnnl::memory view(Buffer& buffer, int64_t rows, int64_t columns, Tag tag = Tag::ab) {
    return dnnl::memory(matrix_desc(rows, columns, tag), cpu(), buffer.data());
  }

  // x or dz.
  Matrix rows_matrix(Buffer& buffer) {
    const int64_t m = problem_.m, n = problem_.n;
    return {view(buffer, m, n), matrix_desc(m, n, Tag::ab, type_)};
  }

  // D, or its transpose, in the order of oneDNN's choice.
  Matrix weights_matrix(const dnnl::matmul::primitive_desc& wanted, Tag kept) {
    return {view(memory_.weights, problem_.n, problem_.n, kept), wanted.weights_desc()};
  }

  void make_forward() {
    const int64_t m = problem_.m, n = problem_.n;
    dnnl::post_ops post;
    post.append_binary(dnnl::algorithm::binary_add, matrix_desc(m, n));
    post.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, -1.0f, 1.0f);
    const dnnl::matmul::desc desc(x_.read().get_desc(), matrix_desc(n, n, Tag::any, type_), matrix_desc(1, n),
                                  matrix_desc(m, n));
    const dnnl::matmul::primitive_desc wanted(desc, with(post), cpu());
    delta_ = weights_matrix(wanted, Tag::ab);
    forward_ = {dnnl::matmul(wanted),
                {{DNNL_ARG_SRC, x_.read()},
                 {DNNL_ARG_WEIGHTS, delta_.read()},
                 {DNNL_ARG_BIAS, view(memory_.bias, 1, n)},
                 {DNNL_ARG_DST, view(memory_.y, m, n)},
                 {kPostOpSource, view(memory_.x, m, n)}}};
  }

  void make_backward_data() {
    const int64_t m = problem_.m, n = problem_.n;
    dnnl::post_ops post;
    post.append_binary(dnnl::algorithm::binary_add, matrix_desc(m, n));
    const dnnl::matmul::desc desc(dz_.read().get_desc(), matrix_desc(n, n, Tag::any, type_), matrix_desc(m, n));
    const dnnl::matmul::primitive_desc wanted(desc, with(post), cpu());
    delta_transposed_ = weights_matrix(wanted, Tag::ba);
    backward_data_ = {dnnl::matmul(wanted),
                      {{DNNL_ARG_SRC, dz_.read()},
                       {DNNL_ARG_WEIGHTS, delta_transposed_.read()},
                       {DNNL_ARG_DST, view(memory_.dx, m, n)},
                       {kPostOpSource, view(memory_.dz, m, n)}}};
  }

  // target = beta target + x^T dz
  void make_backward_weights(float* target, float beta) {
    const int64_t m = problem_.m, n = problem_.n;
    dnnl::post_ops post;
    if (beta != 0.0f) post.append_sum(beta);
    const dnnl::memory transposed_x(matrix_desc(n, m, Tag::ba, type_), cpu(), x_.read().get_data_handle());
    const dnnl::matmul::desc desc(transposed_x.get_desc(), dz_.read().get_desc(), matrix_desc(n, n));
    gradient_ = {dnnl::matmul({desc, with(post), cpu()}),
                 {{DNNL_ARG_SRC, transposed_x},
                  {DNNL_ARG_WEIGHTS, dz_.read()},
                  {DNNL_ARG_DST, dnnl::memory(matrix_desc(n, n), cpu(), target)}}};
  }

  void weights_changed() override {
    repack();
    stream_.wait();
  }

  void repack() {
    delta_.convert(stream_);
    delta_transposed_.convert(stream_);
  }

  // In a pass of several stages an earlier one has converted them.
  void convert_rows() {
    if (!x_is_converted_) x_.convert(stream_);
    if (!dz_is_converted_) dz_.convert(stream_);
  }

  void forward() {
    x_.convert(stream_);
    forward_.run(stream_);
  }

  void backward_data() {
    loops::hard_tanh_gradient(problem_.m, problem_.n, memory_.dy.data(), memory_.y.data(), memory_.dz.data(), nullptr);
    dz_.convert(stream_);
    backward_data_.run(stream_);
  }

  void backward_weights() {
    convert_rows();
    gradient_.run(stream_);
    loops::column_sums(problem_.m, problem_.n, memory_.dz.data(), 0.0f, memory_.bias_gradient.data());
  }

  void update() {
    convert_rows();
    gradient_.run(stream_);
    loops::column_sums(problem_.m, problem_.n, memory_.dz.data(), kMomentum, memory_.bias_velocity.data());
    loops::step(memory_.weights.size(), learning_rate_, memory_.velocity.data(), memory_.weights.data());
    loops::step(memory_.bias.size(), learning_rate_, memory_.bias_velocity.data(), memory_.bias.data());
    repack();
  }

  const Type type_;                              // of what is multiplied
  const bool x_is_converted_, dz_is_converted_;  // by an earlier stage, when a gradient needs them
  dnnl::stream stream_;
  Matrix x_, dz_, delta_, delta_transposed_;
  Matmul forward_, backward_data_, gradient_;
};

ImplementationEntry entry_of(idelta_format format, Type type) {
  return {.name = "onednn",
          .format = idelta_format_name(format),
          .isa = [](idelta_isa) { return onednn_isa_name(); },
          .identity_apart = true,
          .rival = true,
          .stages = Onednn::codes(),
          .make = maker<Onednn>(type)};
}

}  // namespace

std::string onednn_isa_name() {
  using dnnl::cpu_isa;
  constexpr std::pair<cpu_isa, const char*> kNames[] = {{cpu_isa::sse41, "sse41"},
                                                        {cpu_isa::avx, "avx"},
                                                        {cpu_isa::avx2, "avx2"},
                                                        {cpu_isa::avx2_vnni, "avx2_vnni"},
                                                        {cpu_isa::avx512_core, "avx512_core"},
                                                        {cpu_isa::avx512_core_vnni, "avx512_core_vnni"},
                                                        {cpu_isa::avx512_core_bf16, "avx512_core_bf16"},
                                                        {cpu_isa::avx512_core_amx, "avx512_core_amx"}};
  for (const auto& [isa, name] : kNames) {
    if (isa == dnnl::get_effective_cpu_isa()) return name;
  }
  return "unnamed";
}

void limit_onednn_isa() {
  const char* isa = environment(kIsaVariable);
  if (isa != nullptr && std::strcmp(isa, idelta_isa_name(IDELTA_ISA_AVX2)) == 0 &&
      environment("DNNL_MAX_CPU_ISA") == nullptr) {
    dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
  }
}

bool onednn_multiplies_bf16() {
  const auto bf16 = unsigned(dnnl::cpu_isa::avx512_core_bf16);
  return (unsigned(dnnl::get_effective_cpu_isa()) & bf16) == bf16;
}

std::vector<ImplementationEntry> onednn_entries() {
  limit_onednn_isa();
  std::vector<ImplementationEntry> entries = {entry_of(IDELTA_FORMAT_F32, Type::f32)};
  if (onednn_multiplies_bf16()) entries.push_back(entry_of(IDELTA_FORMAT_BF16, Type::bf16));
  return entries;
}

}  // namespace idelta::bench
