// oneDNN in int8 at its best: D in s8 with a scale a column, prepacked; x in u8 with zero point 128 and one scale for
// all of it, which a user would find by calibration: here it is that of the very x, so that no call looks for it.
// Rounding x (a reorder) is done in every call and counted. Scales, bias, x in fp32 and clip are fused.
//
// 2.6.3 multiplies weights and zero point in integers, adds the bias to those sums and scales the result, so that the
// bias is given in units of the sums. Where there is no VNNI it adds two products in 16 bits, which saturate: weights
// then have 7 bits, as its manual advises.
#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/implementation.h"
#include "bench/implementations/onednn.h"

namespace idelta::bench {

namespace {

constexpr float kMostActivation = 127.0f;
constexpr int kZeroPoint = 128;

bool has_vnni() {
  const auto isa = unsigned(dnnl::get_effective_cpu_isa());
  return (isa & unsigned(dnnl::cpu_isa::avx512_core_vnni)) == unsigned(dnnl::cpu_isa::avx512_core_vnni) ||
         dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx2_vnni;
}

float largest_of(const Buffer& buffer) {
  float largest = 0.0f;
  for (int64_t i = 0; i < buffer.size(); ++i) largest = std::max(largest, std::fabs(buffer[i]));
  return largest;
}

// Of integers up to `most`. Zeros take any.
float scale_of(float largest, float most) { return largest > 0.0f ? largest / most : 1.0f; }

class OnednnInt8 : public Implementation {
 public:
  OnednnInt8(const Problem& problem, const Inputs& inputs)
      : Implementation(problem, inputs, false, codes()), stream_(cpu()) {
    const int64_t m = problem.m, n = problem.n;
    const float x_scale = scale_of(largest_of(memory_.x), kMostActivation);
    const std::vector<float> column_scales = round_weights();
    make_rounding(x_scale);

    std::vector<float> scales(column_scales);
    for (int64_t j = 0; j < n; ++j) {
      scales[size_t(j)] *= x_scale;
      memory_.bias[j] /= scales[size_t(j)];
    }
    dnnl::post_ops post;
    post.append_binary(dnnl::algorithm::binary_add, matrix_desc(m, n));
    post.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, -1.0f, 1.0f);
    dnnl::primitive_attr attributes = with(post);
    attributes.set_output_scales(1 << 1, scales);
    attributes.set_zero_points(DNNL_ARG_SRC, 0, {kZeroPoint});
    const dnnl::matmul::desc desc(matrix_desc(m, n, Tag::ab, Type::u8), matrix_desc(n, n, Tag::any, Type::s8),
                                  matrix_desc(1, n), matrix_desc(m, n));
    const dnnl::matmul::primitive_desc wanted(desc, attributes, cpu());
    weights_ = Matrix(dnnl::memory(matrix_desc(n, n, Tag::ab, Type::s8), cpu(), rounded_weights_.data()),
                      wanted.weights_desc());
    weights_.convert(stream_);
    forward_ = {dnnl::matmul(wanted),
                {{DNNL_ARG_SRC, rounded_x_},
                 {DNNL_ARG_WEIGHTS, weights_.read()},
                 {DNNL_ARG_BIAS, view(memory_.bias, 1)},
                 {DNNL_ARG_DST, view(memory_.y, m)},
                 {kPostOpSource, view(memory_.x, m)}}};
    stream_.wait();
    memory_.weights = Buffer();
  }

  static StageCodes codes() { return {code("forward", &OnednnInt8::forward)}; }

  void run() override {
    Implementation::run();
    stream_.wait();
  }

 private:
  dnnl::memory view(Buffer& buffer, int64_t rows) {
    return dnnl::memory(matrix_desc(rows, problem_.n), cpu(), buffer.data());
  }

  // Returns the scales of the columns.
  std::vector<float> round_weights() {
    const int64_t n = problem_.n;
    const float most = has_vnni() ? 127.0f : 63.0f;
    std::vector<float> scales(static_cast<size_t>(n));
    rounded_weights_.resize(size_t(n * n));
    for (int64_t j = 0; j < n; ++j) {
      float& scale = scales[size_t(j)];
      for (int64_t k = 0; k < n; ++k) scale = std::max(scale, std::fabs(memory_.weights[k * n + j]));
      scale = scale_of(scale, most);
      for (int64_t k = 0; k < n; ++k) {
        rounded_weights_[size_t(k * n + j)] = int8_t(std::nearbyint(memory_.weights[k * n + j] / scale));
      }
    }
    return scales;
  }

  void make_rounding(float x_scale) {
    const dnnl::memory::desc given = matrix_desc(problem_.m, problem_.n);
    const dnnl::memory::desc wanted = matrix_desc(problem_.m, problem_.n, Tag::ab, Type::u8);
    dnnl::primitive_attr attributes;
    attributes.set_output_scales(0, {1.0f / x_scale});
    attributes.set_zero_points(DNNL_ARG_DST, 0, {kZeroPoint});
    round_ = dnnl::reorder(dnnl::reorder::primitive_desc(cpu(), given, cpu(), wanted, attributes));
    rounded_x_ = dnnl::memory(wanted, cpu());
    x_ = view(memory_.x, problem_.m);
  }

  void forward() {
    round_.execute(stream_, x_, rounded_x_);
    forward_.run(stream_);
  }

  dnnl::stream stream_;
  std::vector<int8_t> rounded_weights_;
  dnnl::memory x_, rounded_x_;
  dnnl::reorder round_;
  Matrix weights_;
  Matmul forward_;
};

}  // namespace

ImplementationEntry onednn_int8_entry() {
  limit_onednn_isa();
  return {.name = "onednn",
          .format = idelta_format_name(IDELTA_FORMAT_INT8),
          .isa = [](idelta_isa) { return onednn_isa_name(); },
          .identity_apart = true,
          .rival = true,
          .stages = OnednnInt8::codes(),
          .make = maker<OnednnInt8>()};
}

}  // namespace idelta::bench
