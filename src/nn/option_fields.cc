// Numbers as text and back, and options told apart by their texts.
#include "option_fields.h"

#include <array>
#include <charconv>

#include "error.h"

namespace idelta::nn {
namespace {

template <class Float>
std::string shortest(Float value) {
  std::array<char, 64> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), end);
}

template <class Number>
bool parse(const std::string& text, Number& field) {
  Number parsed{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, parsed);
  if (error != std::errc() || stop != end) return false;
  field = parsed;
  return true;
}

}  // namespace

std::string text_of(float value) { return shortest(value); }
std::string text_of(double value) { return shortest(value); }
bool read_text(const std::string& text, float& field) { return parse(text, field); }
bool read_text(const std::string& text, double& field) { return parse(text, field); }
bool read_text(const std::string& text, int64_t& field) { return parse(text, field); }
bool read_text(const std::string& text, uint64_t& field) { return parse(text, field); }

Settings settings(const NetworkOptions& options) { return settings_of(options); }
Settings settings(const TrainOptions& options) { return settings_of(options); }

std::string difference(const Settings& found, const Settings& wanted) {
  for (const auto& [name, value] : wanted) {
    const auto at = found.find(name);
    if (at == found.end()) return sentence(name, " is not recorded, and should be ", value);
    if (at->second != value) return sentence(name, " is ", at->second, ", not ", value);
  }
  return "";
}

}  // namespace idelta::nn
