// What a layer and a network by oneDNN share: its engine, its names, a matrix in the order a matmul wants.
#pragma once

#include <dnnl.hpp>

#include <string>
#include <unordered_map>

namespace idelta::bench {

using Arguments = std::unordered_map<int, dnnl::memory>;
using Tag = dnnl::memory::format_tag;

constexpr int kPostOpSource = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

using Type = dnnl::memory::data_type;

inline dnnl::memory::desc matrix_desc(int64_t rows, int64_t columns, Tag tag = Tag::ab, Type type = Type::f32) {
  return {{rows, columns}, type, tag};
}

inline const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// A matrix as it is kept, in plain fp32, and as a matmul reads it: of another order or type, or the very same memory.
class Matrix {
 public:
  Matrix() = default;
  Matrix(const dnnl::memory& kept, const dnnl::memory::desc& wanted) : kept_(kept), read_(kept) {
    if (kept.get_desc() == wanted) return;
    read_ = dnnl::memory(wanted, cpu());
    reorder_ = dnnl::reorder(kept_, read_);
  }
  void convert(dnnl::stream& stream) {
    if (reorder_) reorder_.execute(stream, kept_, read_);
  }
  const dnnl::memory& read() const { return read_; }

 private:
  dnnl::memory kept_, read_;
  dnnl::reorder reorder_;
};

// One matmul and its memory.
struct Matmul {
  dnnl::matmul primitive;
  Arguments arguments;
  void run(dnnl::stream& stream) { primitive.execute(stream, arguments); }
};

inline dnnl::primitive_attr with(const dnnl::post_ops& post) {
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(post);
  return attributes;
}

// oneDNN has no function that names its ISA.
std::string onednn_isa_name();

// Both sides show AVX2, or neither. oneDNN takes a limit only before its first primitive.
void limit_onednn_isa();

// Values of cpu_isa are sets of features. Without the bf16 product 2.6.3 refuses bf16 (AVX2) or runs it at a third of
// the speed of fp32 (AVX-512).
bool onednn_multiplies_bf16();

}  // namespace idelta::bench
