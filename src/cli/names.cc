// Tables of names; what is not in one is a UsageError that lists what is.
#include "names.h"

#include <array>
#include <charconv>
#include <cmath>

#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

template <class Kind>
struct Name {
  const char* name;
  Kind kind;
};

constexpr std::array kActivations = {
    Name<idelta_activation_kind>{"hard_tanh", IDELTA_ACTIVATION_HARD_TANH},
    Name<idelta_activation_kind>{"tanh", IDELTA_ACTIVATION_TANH},
    Name<idelta_activation_kind>{"relu", IDELTA_ACTIVATION_RELU},
    Name<idelta_activation_kind>{"leaky_relu", IDELTA_ACTIVATION_LEAKY_RELU},
    Name<idelta_activation_kind>{"identity", IDELTA_ACTIVATION_IDENTITY},
};

constexpr std::array kOptimizers = {
    Name<idelta_optimizer_kind>{"sgd", IDELTA_OPTIMIZER_SGD},
    Name<idelta_optimizer_kind>{"momentum", IDELTA_OPTIMIZER_MOMENTUM},
    Name<idelta_optimizer_kind>{"nesterov", IDELTA_OPTIMIZER_NESTEROV},
    Name<idelta_optimizer_kind>{"adamw", IDELTA_OPTIMIZER_ADAMW},
};

constexpr std::array kFormats = {
    Name<idelta_format>{"f32", IDELTA_FORMAT_F32},
    Name<idelta_format>{"bf16x3", IDELTA_FORMAT_BF16X3},
    Name<idelta_format>{"bf16", IDELTA_FORMAT_BF16},
};

constexpr std::array kIsas = {IDELTA_ISA_AUTO, IDELTA_ISA_SCALAR, IDELTA_ISA_AVX2, IDELTA_ISA_AVX512, IDELTA_ISA_AMX};

constexpr float kDefaultSlope = 0.01f;

template <class Kind, size_t count>
Kind find(const char* option, const std::array<Name<Kind>, count>& names, const std::string& wanted) {
  std::string known;
  for (const auto& entry : names) {
    if (wanted == entry.name) return entry.kind;
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw UsageError(format("%s: unknown name '%s'; use one of %s", option, wanted.c_str(), known.c_str()));
}

template <class Kind, size_t count>
const char* name_of(const std::array<Name<Kind>, count>& names, Kind kind) {
  for (const auto& entry : names) {
    if (entry.kind == kind) return entry.name;
  }
  return "unknown";
}

template <class Number>
bool parse_all(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

}  // namespace

idelta_activation parse_activation(const std::string& name) {
  const size_t colon = name.find(':');
  idelta_activation activation = {find("--activation", kActivations, name.substr(0, colon)), 0.0f};
  const bool leaky = activation.kind == IDELTA_ACTIVATION_LEAKY_RELU;
  if (leaky) activation.slope = kDefaultSlope;
  if (colon == std::string::npos) return activation;
  if (!leaky) throw UsageError("--activation: only leaky_relu takes a slope, not '" + name + "'");
  const bool number = parse_all(name.substr(colon + 1), activation.slope);
  if (!number || !(activation.slope > 0 && activation.slope < 1)) {
    throw UsageError("--activation: the slope in '" + name + "' must lie between 0 and 1, as in leaky_relu:0.01");
  }
  return activation;
}

std::string activation_name(idelta_activation activation) {
  const std::string name = name_of(kActivations, activation.kind);
  return activation.kind == IDELTA_ACTIVATION_LEAKY_RELU ? name + ":" + short_number(activation.slope) : name;
}

idelta_optimizer_kind parse_optimizer(const std::string& name) { return find("--optimizer", kOptimizers, name); }

std::string optimizer_name(idelta_optimizer_kind kind) { return name_of(kOptimizers, kind); }

idelta_format parse_format(const std::string& name) { return find("--compute", kFormats, name); }

idelta_isa parse_isa(const std::string& name) {
  if (name == "auto") return IDELTA_ISA_AUTO;
  std::string known = "auto";
  for (const idelta_isa isa : kIsas) {
    if (isa == IDELTA_ISA_AUTO) continue;
    if (name == idelta_isa_name(isa)) return isa;
    known += std::string(", ") + idelta_isa_name(isa);
  }
  throw UsageError("--isa: unknown instruction set '" + name + "'; use one of " + known);
}

std::string short_number(float value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::string(text.data(), end) : format("%g", static_cast<double>(value));
}

CLI::Validator whole_number_from(int64_t least, int64_t most) {
  return CLI::Validator(
      [=](const std::string& text) {
        int64_t number = 0;
        if (parse_all(text, number) && number >= least && number <= most) return std::string();
        const std::string limit = most == INT64_MAX ? "" : format(" and at most %lld", static_cast<long long>(most));
        return format("'%s' is not a whole number of at least %lld", text.c_str(), static_cast<long long>(least)) +
               limit;
      },
      "");
}

CLI::Validator real_number_from(double least) {
  return CLI::Validator(
      [least](const std::string& text) {
        float number = 0;
        if (parse_all(text, number) && std::isfinite(number) && number >= least) return std::string();
        if (std::isinf(least)) return format("'%s' is not a number", text.c_str());
        return format("'%s' is not a number of at least %g", text.c_str(), least);
      },
      "");
}

}  // namespace idelta::cli
