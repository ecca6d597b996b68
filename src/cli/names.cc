// libidelta has the names; what is not among them is a UsageError that lists what is.
#include "names.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

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

bool stands_alone(idelta_format format) { return format != IDELTA_FORMAT_AUTO && format != IDELTA_FORMAT_LOW_RANK; }

template <class Keep>
std::string names_of_formats(const Keep& keep) {
  std::string names;
  for (const idelta_format format : kinds_of(idelta_format_names(), idelta_format_by_name)) {
    if (keep(format)) names += (names.empty() ? "" : ", ") + std::string(idelta_format_name(format));
  }
  return names;
}

template <class Number>
bool parse_all(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

// Whether the text is a number, but one that the type does not hold: one too large, and one too near 0.
template <class Number>
bool is_out_of_range(const std::string& text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc::result_out_of_range && stop == end;
}

template <class Number>
bool is_beyond(const std::string& text) {
  return is_out_of_range<Number>(text) && std::strtod(text.c_str(), nullptr) > 1;
}

template <class Number>
bool is_below(const std::string& text) {
  return is_out_of_range<Number>(text) && std::fabs(std::strtod(text.c_str(), nullptr)) < 1;
}

constexpr double kLeastFloat = std::numeric_limits<float>::denorm_min();

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

idelta_format parse_forward_format(const std::string& name) {
  idelta_format format{};
  if (idelta_format_by_name(name.c_str(), &format) != IDELTA_OK || !stands_alone(format)) {
    refuse("--compute", name, forward_format_names());
  }
  return format;
}

idelta_tail parse_tail(const std::string& name) {
  return name.empty() ? IDELTA_TAIL_NONE : find("--tail", name, idelta_tail_names(), idelta_tail_by_name);
}

std::string training_format_names() { return names_of_formats(trains); }
std::string forward_format_names() { return names_of_formats(stands_alone); }

std::string rank_name(int64_t rank, idelta_tail tail) {
  const std::string name = idelta_tail_name(tail);
  if (tail == IDELTA_TAIL_NONE) return std::to_string(rank);
  return rank == 0 ? name : std::to_string(rank) + " + " + name;
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
        const auto largest = static_cast<long long>(most);
        if (is_beyond<int64_t>(text)) return format("'%s' is too large; give at most %lld", text.c_str(), largest);
        const std::string limit = most == INT64_MAX ? "" : format(" and at most %lld", largest);
        return format("'%s' is not a whole number of at least %lld", text.c_str(), static_cast<long long>(least)) +
               limit;
      },
      "");
}

CLI::Validator real_number_from(double least, double most) {
  return CLI::Validator(
      [=](const std::string& text) {
        double number = 0;
        const bool parsed = parse_all(text, number) && std::isfinite(number);
        if (is_beyond<double>(text) || (parsed && number > most)) {
          return format("'%s' is too large; give at most %g", text.c_str(), most);
        }
        if (is_below<double>(text) || (parsed && number != 0 && std::fabs(number) < kLeastFloat)) {
          return format("'%s' is nearer to 0 than fp32 can hold; give 0, or %g and more", text.c_str(), kLeastFloat);
        }
        if (parsed && number >= std::max(least, -most)) return std::string();
        if (std::isinf(least)) return format("'%s' is not a number from %g to %g", text.c_str(), -most, most);
        return format("'%s' is not a number of at least %g", text.c_str(), least);
      },
      "");
}

CLI::Validator positive_number() {
  return CLI::Validator(
      [](const std::string& text) {
        double number = 0;
        if (parse_all(text, number) && std::isfinite(number) && number > 0) return std::string();
        if (is_beyond<double>(text)) return format("'%s' is too large; give at most %g", text.c_str(), DBL_MAX);
        if (is_below<double>(text)) return format("'%s' is too near 0; give %g and more", text.c_str(), DBL_MIN);
        return format("'%s' is not a number above 0", text.c_str());
      },
      "");
}

}  // namespace idelta::cli
