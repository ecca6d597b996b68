// idelta itself: with the identity apart, with it inside the delta (plain), and by factors (low_rank.cc).
#pragma once

#include <memory>
#include <vector>

#include "bench/implementation.h"
#include "idelta/idelta.hpp"

namespace idelta::bench {

// The context for an ISA and a number of threads; made once, kept for the whole run.
const Context& context_for(idelta_isa isa, int threads);

// The formats, F32 first, that the library runs as what they are: where another takes a format's place (F32 that of
// BF16X3 without AMX), its figures would stand under a wrong name.
std::vector<idelta_format> formats_on(idelta_isa isa);

class Idelta : public Implementation {
 public:
  Idelta(const Problem& problem, const Inputs& inputs, bool identity_in_weights,
         idelta_format format = IDELTA_FORMAT_F32);
  // By a delta that is packed already, for passes that do not train.
  Idelta(const Problem& problem, const Inputs& inputs, std::shared_ptr<const Delta> delta);
  static StageCodes codes(idelta_format format = IDELTA_FORMAT_F32);
  double operand_rounding() const override { return traits_of(idelta_format_name(format_)).rounding; }

 protected:
  void forward();
  void backward_data();
  void backward_weights();
  void update();
  const Delta& packed() const { return *delta_; }  // not for backward_weights, which needs none

  const idelta_format format_;
  const Context& context_;

 private:
  void weights_changed() override;
  void fetch_weights() override;
  void pack_parameters();

  std::shared_ptr<const Delta> delta_;  // empty for backward_weights, which needs none
  std::shared_ptr<Delta> own_delta_;    // the same, if it is not shared
  Buffer velocity_, master_;            // in panels; F32: delta_ is the master
};

}  // namespace idelta::bench
