// See implementation.h.
#include "bench/implementation.h"

#include <algorithm>

namespace idelta::bench {

namespace {

const StageCode* find(const StageCodes& codes, const Stage& stage) {
  const auto found =
      std::find_if(codes.begin(), codes.end(), [&](const StageCode& code) { return code.stage == stage.name; });
  return found == codes.end() ? nullptr : &*found;
}

}  // namespace

Implementation::Implementation(const Problem& problem, const Inputs& inputs, bool identity_in_weights,
                               const StageCodes& codes)
    : problem_(problem),
      inputs_(inputs),
      identity_in_weights_(identity_in_weights),
      learning_rate_(timing_learning_rate(problem)),
      memory_(problem, inputs, identity_in_weights) {
  for (const Stage* stage : problem.pass.stages()) {
    if (const StageCode* code = find(codes, *stage); code != nullptr) stages_.push_back(code->run);
  }
}

bool ImplementationEntry::has(const Problem& problem) const {
  const std::vector<const Stage*>& wanted = problem.pass.stages();
  if (!std::all_of(wanted.begin(), wanted.end(), [&](const Stage* stage) { return find(stages, *stage) != nullptr; })) {
    return false;
  }
  if (const int64_t rank = rank_of(format); rank > 0) return problem.pass.runs_by_factors() && pays(rank, problem.n);
  return problem.pass != "backward_weights" || own_gradients == nullptr || own_gradients(problem.m);
}

std::string benchmark_name(const Problem& problem, const ImplementationEntry& entry) {
  std::string name = problem.pass.name() + "/" + entry.name + "/" + entry.format + "/" + entry.isa(problem.isa) +
                     "/n:" + std::to_string(problem.n) + "/m:" + std::to_string(problem.m);
  if (problem.layer != 0) name += "/layer:" + std::to_string(problem.layer);
  return name + "/threads:" + std::to_string(problem.threads);
}

}  // namespace idelta::bench
