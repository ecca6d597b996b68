// idelta through its C ABI, with the identity apart (idelta.cc) or inside the delta (plain.cc).
#pragma once

#include <memory>

#include "bench/implementation.h"

namespace idelta::bench {

// The context for an ISA and a number of threads; made once, kept for the whole run.
const idelta_context* context_for(idelta_isa isa, int threads);

class Idelta : public Implementation {
 public:
  Idelta(const Problem& problem, const Inputs& inputs, bool identity_in_weights,
         idelta_format format = IDELTA_FORMAT_F32);
  void run() override;
  double operand_rounding() const override;

 private:
  void weights_changed() override;
  void fetch_weights() override;
  void forward();
  void backward_data();
  void backward_weights();
  void update();

  struct DestroyDelta {
    void operator()(idelta_delta* delta) const { idelta_delta_destroy(delta); }
  };
  const idelta_format format_;
  const idelta_context* context_;
  std::unique_ptr<idelta_delta, DestroyDelta> delta_;  // null for backward_weights, which needs none
};

}  // namespace idelta::bench
