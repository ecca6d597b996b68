// See names.h.
#include "bench/names.h"

namespace idelta::bench {

std::string benchmark_name(const Problem& problem, const ImplementationEntry& entry) {
  std::string name = std::string(pass_name(problem.pass)) + "/" + entry.name + "/" + entry.format + "/" +
                     entry.isa(problem.isa) + "/n:" + std::to_string(problem.n) + "/m:" + std::to_string(problem.m);
  if (problem.layer != 0) name += "/layer:" + std::to_string(problem.layer);
  return name + "/threads:" + std::to_string(problem.threads);
}

}  // namespace idelta::bench
