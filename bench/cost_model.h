// The members of src/core/plan/cost_model.h, measured again on this machine.
#pragma once

#include <string>

namespace idelta::bench {

// A table: measured, built in.
std::string describe_cost_model();

}  // namespace idelta::bench
