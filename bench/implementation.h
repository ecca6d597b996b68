// The one interface of everything that is measured, and the list of what there is (implementations/table.cc).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/formats.h"
#include "bench/problem.h"

namespace idelta::bench {

class Implementation;

// How an implementation does a stage (passes.cc).
struct StageCode {
  std::string stage;
  void (Implementation::*run)();
};
using StageCodes = std::vector<StageCode>;

template <class T>
StageCode code(const char* stage, void (T::*run)()) {
  return {stage, static_cast<void (Implementation::*)()>(run)};
}

// One pass of one layer with weights of its own. The constructor does what a user does once (allocate, pack weights);
// run() does all that a user does every time, repacking of changed weights included.
class Implementation {
 public:
  Implementation(const Problem& problem, const Inputs& inputs, bool identity_in_weights, const StageCodes& codes);
  virtual ~Implementation() = default;

  virtual void run() {
    for (const auto stage : stages_) (this->*stage)();
  }

  // What rounding operands to a coarser format than fp32 may add to the error of x D and dz D^T, and to that of x^T dz,
  // relative to sum |a b|.
  virtual double operand_rounding() const { return 0.0; }
  virtual double gradient_rounding() const { return operand_rounding(); }

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
  virtual void weights_changed() {}  // memory_.weights is new: pack it
  virtual void fetch_weights() {}    // the way back, where the packed form is the master

  const Problem problem_;
  const Inputs& inputs_;
  const bool identity_in_weights_;
  float learning_rate_;
  LayerMemory memory_;

 private:
  std::vector<void (Implementation::*)()> stages_;  // of the pass
};

// Unique among all entries that have a pass: idelta, idelta_bf16.
inline std::string title_of(const std::string& name, const std::string& format) {
  return format == "f32" ? name : name + "_" + format;
}

struct ImplementationEntry {
  std::string name;    // idelta, openblas, ...
  std::string format;  // a row of formats.h, or lr32 where D is the product of factors_for(n, 32)
  // What the implementation says it runs on, lower case: avx512, skylakex, avx512_core.
  std::function<std::string(idelta_isa)> isa;
  // True if z = x + (x D + b) with the identity outside the sum, so that the error scales with D.
  bool identity_apart;
  // True for what belongs to the others: the best of these is what idelta must beat.
  bool rival;
  StageCodes stages;  // those that it has
  // False where gradients of m rows are fp32 whatever the format: backward_weights would be that of f32 again. Null:
  // they never are.
  std::function<bool(int64_t m)> own_gradients = nullptr;
  // inputs must outlive what is made.
  std::function<std::unique_ptr<Implementation>(const Problem&, const Inputs&)> make;

  bool has(const Problem& problem) const;
  std::string title() const { return title_of(name, format); }
};

// pass/impl/format/isa/n:N/m:M[/layer:L]/threads:T
std::string benchmark_name(const Problem& problem, const ImplementationEntry& entry);

// A maker for entries: T(problem, inputs, arguments...).
template <class T, class... Arguments>
auto maker(Arguments... arguments) {
  return [=](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<T>(problem, inputs, arguments...);
  };
}

ImplementationEntry idelta_entry(idelta_format format = IDELTA_FORMAT_F32);
ImplementationEntry plain_entry(idelta_format format = IDELTA_FORMAT_F32);
ImplementationEntry openblas_entry();
ImplementationEntry openblas_beta1_entry();
ImplementationEntry idelta_low_rank_entry(int64_t rank, bool tail = false);
ImplementationEntry openblas_low_rank_entry(int64_t rank);
ImplementationEntry openblas_beta1_low_rank_entry(int64_t rank);
// idelta on random numbers, whatever the inputs of the point: beside idelta on a trained layer of the same size it
// shows what zeros, denormals and empty panels do to the speed.
ImplementationEntry idelta_random_entry();

// All but idelta_random, in the formats that are what their name says on this machine, and with factors of all kRanks;
// idelta's own first, low rank last.
std::vector<ImplementationEntry> all_implementations();

}  // namespace idelta::bench
