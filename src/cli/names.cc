// libidelta has the names; what is not among them is a UsageError that lists what is.
#include "names.h"

#include <array>
#include <charconv>
#include <cmath>

#include "idelta/idelta.hpp"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

constexpr float kDefaultSlope = 0.1f;

[[noreturn]] void refuse(const char* option, const std::string& name, const std::string& known) {
  throw UsageError(format("%s: unknown name '%s'; use one of %s", option, name.c_str(), known.c_str()));
}

template <class Kind>
Kind find(const char* option, const std::string& name, const char* names,
          idelta_status (*by_name)(const char*, Kind*)) {
  Kind kind{};
  if (by_name(name.c_str(), &kind) != IDELTA_OK) refuse(option, name, names);
  return kind;
}

bool trains(idelta_format format) {
  return format != IDELTA_FORMAT_AUTO && idelta_gradient_format_check(format) == IDELTA_OK;
}

template <class Number>
bool parse_all(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

}  // namespace

idelta_activation parse_activation(const std::string& name) {
  const char* const option = "--activation";
  const size_t colon = name.find(':');
  idelta_activation activation = {
      find(option, name.substr(0, colon), idelta_activation_names(), idelta_activation_by_name), 0.0f};
  const bool leaky = activation.kind == IDELTA_ACTIVATION_LEAKY_RELU;
  if (leaky) activation.slope = kDefaultSlope;
  if (colon == std::string::npos) return activation;
  if (!leaky) throw UsageError("--activation: only leaky_relu takes a slope, not '" + name + "'");
  if (!parse_all(name.substr(colon + 1), activation.slope)) {
    throw UsageError("--activation: the slope in '" + name + "' is no number between 0 and 1, as in leaky_relu:0.1");
  }
  if (idelta_activation_check(&activation) != IDELTA_OK) {
    throw UsageError("--activation " + name + ": " + last_reason());
  }
  return activation;
}

std::string activation_name(idelta_activation activation) {
  const std::string name = idelta_activation_name(activation.kind);
  return activation.kind == IDELTA_ACTIVATION_LEAKY_RELU ? name + ":" + short_number(activation.slope) : name;
}

idelta_optimizer_kind parse_optimizer(const std::string& name) {
  return find("--optimizer", name, idelta_optimizer_names(), idelta_optimizer_by_name);
}

idelta_format parse_format(const std::string& name) {
  idelta_format format{};
  if (idelta_format_by_name(name.c_str(), &format) != IDELTA_OK || !trains(format)) {
    refuse("--compute", name, training_format_names());
  }
  return format;
}

std::string training_format_names() {
  std::string names;
  for (const idelta_format format : kinds_of(idelta_format_names(), idelta_format_by_name)) {
    if (trains(format)) names += (names.empty() ? "" : ", ") + std::string(idelta_format_name(format));
  }
  return names;
}

idelta_isa parse_isa(const std::string& name) { return find("--isa", name, idelta_isa_names(), idelta_isa_by_name); }

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

CLI::Validator positive_number() {
  return CLI::Validator(
      [](const std::string& text) {
        double number = 0;
        if (parse_all(text, number) && std::isfinite(number) && number > 0) return std::string();
        return format("'%s' is not a number above 0", text.c_str());
      },
      "");
}

}  // namespace idelta::cli
