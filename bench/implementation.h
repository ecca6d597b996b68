// The one interface of everything that is measured, and the table of what there is (implementations/table.cc).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/factors.h"
#include "bench/problem.h"

namespace idelta::bench {

// Two operands, each off by half a unit in the last place of bf16; a hundredth for what is of second order.
inline constexpr double kBf16Rounding = 1.01 * 0x1p-7;

// One pass of one layer with weights of its own. The constructor does what a user does once (allocate, pack weights);
// run() does all that a user does every time, repacking of changed weights in update and train_step included.
class Implementation {
 public:
  Implementation(const Problem& problem, const Inputs& inputs, bool identity_in_weights)
      : problem_(problem),
        inputs_(inputs),
        identity_in_weights_(identity_in_weights),
        learning_rate_(timing_learning_rate(problem)),
        memory_(problem, inputs, identity_in_weights) {}
  virtual ~Implementation() = default;

  virtual void run() = 0;

  // What rounding operands to a coarser format than fp32 may add to the error of x D and dz D^T, and to that of x^T dz,
  // relative to sum |a b|.
  virtual double operand_rounding() const { return 0.0; }
  virtual double gradient_rounding() const { return 0.0; }

  // Weights, bias and optimiser state as given; the next update goes by learning_rate.
  void reset(float learning_rate) {
    learning_rate_ = learning_rate;
    memory_.reset_weights(inputs_, identity_in_weights_);
    weights_changed();
  }

  // What run() left behind; weights that live packed are brought into memory().weights first.
  const LayerMemory& results() {
    fetch_weights();
    return memory_;
  }
  bool identity_in_weights() const { return identity_in_weights_; }
  const Inputs& inputs() const { return inputs_; }

 protected:
  virtual void weights_changed() = 0;  // memory_.weights is new: pack it
  virtual void fetch_weights() {}      // the way back, where the packed form is the master

  const Problem problem_;
  const Inputs& inputs_;
  const bool identity_in_weights_;
  float learning_rate_;
  LayerMemory memory_;
};

// Unique among all entries: idelta, idelta_bf16.
inline std::string title_of(const std::string& name, const std::string& format) {
  return format == "f32" ? name : name + "_" + format;
}

struct ImplementationEntry {
  std::string name;    // idelta, openblas, ...
  std::string format;  // f32, bf16, bf16x3, or lr32 where D is the product of factors_for(n, 32)
  // What the implementation says it runs on, lower case: avx512, skylakex, avx512_core.
  std::function<std::string(idelta_isa)> isa;
  // True if z = x + (x D + b) with the identity outside the sum, so that the error scales with D.
  bool identity_apart;
  // True for what belongs to the others: the best of these is what idelta must beat.
  bool rival;
  // False where gradients of m rows are fp32 whatever the format: backward_weights would be that of f32 again. Null:
  // they never are.
  std::function<bool(int64_t m)> own_gradients = nullptr;
  // inputs must outlive what is made.
  std::function<std::unique_ptr<Implementation>(const Problem&, const Inputs&)> make;

  bool has(const Problem& problem) const {
    if (const int64_t rank = rank_of(format); rank > 0) {
      return (problem.pass == Pass::kForward || problem.pass == Pass::kBackwardData) && pays(rank, problem.n);
    }
    return problem.pass != Pass::kBackwardWeights || own_gradients == nullptr || own_gradients(problem.m);
  }
  std::string title() const { return title_of(name, format); }
};

ImplementationEntry idelta_entry(idelta_format format = IDELTA_FORMAT_F32);
ImplementationEntry plain_entry(idelta_format format = IDELTA_FORMAT_F32);
ImplementationEntry openblas_entry();
ImplementationEntry openblas_beta1_entry();
ImplementationEntry idelta_low_rank_entry(int64_t rank);
ImplementationEntry openblas_low_rank_entry(int64_t rank);
ImplementationEntry idelta_random_entry();  // only beside a trained model
#ifdef IDELTA_BENCH_ONEDNN
// f32, and bf16 where the CPU multiplies it.
std::vector<ImplementationEntry> onednn_entries();
#endif

// All of the above but idelta_random, in the formats that are what their name says on this machine, and with factors of
// all kRanks; idelta's own first, low rank last.
std::vector<ImplementationEntry> all_implementations();

}  // namespace idelta::bench
