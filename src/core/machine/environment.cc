#include "src/core/machine/environment.h"

#include <charconv>
#include <cstring>
#include <string>

#include "src/core/base/error.h"

namespace idelta::core {

void refuse(const Variable& variable, const char* text) {
  throw Failure(IDELTA_INVALID_ARGUMENT, std::string("environment variable ") + variable.name + " = \"" + text +
                                             "\" is not " + variable.values + "; correct or unset it");
}

std::optional<int32_t> environment_number(const Variable& variable, int32_t least) {
  const char* const text = environment(variable);
  if (!text) return std::nullopt;
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *end || value < least) refuse(variable, text);
  return value;
}

}  // namespace idelta::core
