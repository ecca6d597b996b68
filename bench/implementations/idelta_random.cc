// idelta on random numbers, whatever the inputs of the point: beside idelta on a trained layer of the same size it
// shows what zeros, denormals and empty panels do to the speed.
#include "bench/implementations/idelta.h"

namespace idelta::bench {

namespace {

// A base, so that the inputs are there before Idelta takes them.
struct OwnInputs {
  Inputs own;
};

class IdeltaRandom : private OwnInputs, public Idelta {
 public:
  explicit IdeltaRandom(const Problem& problem)
      : OwnInputs{random_inputs(problem)}, Idelta(problem, OwnInputs::own, false) {}
};

}  // namespace

ImplementationEntry idelta_random_entry() {
  ImplementationEntry entry = idelta_entry();
  entry.name = "idelta_random";
  entry.make = [](const Problem& problem, const Inputs&) -> std::unique_ptr<Implementation> {
    return std::make_unique<IdeltaRandom>(problem);
  };
  return entry;
}

}  // namespace idelta::bench
