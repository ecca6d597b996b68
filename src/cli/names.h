// Words of the command line for the enumerations of idelta.h, and numbers checked as they are parsed.
#ifndef IDELTA_CLI_NAMES_H
#define IDELTA_CLI_NAMES_H

#include <CLI/CLI.hpp>
#include <cfloat>
#include <cstdint>
#include <string>

#include "idelta/idelta.h"

namespace idelta::cli {

// libidelta's names, which its idelta_..._names() list, and "leaky_relu:0.1"; "leaky_relu" has slope 0.1. All throw
// UsageError for other names, and for slopes that libidelta refuses.
idelta_activation parse_activation(const std::string& name);
idelta_optimizer_kind parse_optimizer(const std::string& name);
idelta_format parse_format(const std::string& name);          // one of training_format_names()
idelta_format parse_forward_format(const std::string& name);  // one of forward_format_names()
idelta_tail parse_tail(const std::string& name);              // of no name: none
idelta_isa parse_isa(const std::string& name);

std::string activation_name(idelta_activation activation);
std::string training_format_names();
std::string forward_format_names();  // of what computes x D and needs no other choice
// "32", "32 + int8", or "int8" for rank 0 with a tail: what a layer multiplies.
std::string rank_name(int64_t rank, idelta_tail tail);

// The shortest decimal that gives this float back: 0.003, not 0.00300000003.
std::string short_number(float value);

// Checks of an option's text; the sentence they give names the value and the mend.
CLI::Validator whole_number_from(int64_t least, int64_t most = INT64_MAX);
CLI::Validator real_number_from(double least, double most = FLT_MAX);
CLI::Validator positive_number();

}  // namespace idelta::cli

#endif  // IDELTA_CLI_NAMES_H
