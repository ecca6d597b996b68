// Names of benchmarks: pass/impl/format/isa/n:N/m:M[/layer:L]/threads:T. D of low rank is a format: lr32.
#pragma once

#include <string>

#include "bench/implementation.h"

namespace idelta::bench {

std::string benchmark_name(const Problem& problem, const ImplementationEntry& entry);

}  // namespace idelta::bench
