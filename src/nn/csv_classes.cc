#include "csv_classes.h"

#include <algorithm>
#include <charconv>

#include "error.h"
#include "names.h"

namespace idelta::nn {
namespace {

// The value of a whole number that is written as it usually is: not "01", "+1" or "1.0", which are texts.
std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || std::to_string(value) != text) return std::nullopt;
  return value;
}

}  // namespace

std::vector<std::string> classes_of_labels(std::vector<std::string> labels) {
  const bool numbers =
      std::all_of(labels.begin(), labels.end(), [](const std::string& label) { return whole_number(label); });
  std::sort(labels.begin(), labels.end(), [&](const std::string& a, const std::string& b) {
    return numbers ? *whole_number(a) < *whole_number(b) : a < b;
  });
  return labels;
}

std::vector<std::string> renamed_classes(const std::string& path, const std::vector<std::string>& names,
                                         const std::string& data, const std::vector<std::string>& labels) {
  check_class_names(path, names, data, static_cast<int64_t>(labels.size()));
  const ClassIndex index(names);
  for (const std::string& label : labels) {
    if (index.find(label)) continue;
    fail(path, ": names no class '", label, "', which is a label of ", data,
         "; give the labels in the order of the classes, or names for labels that are 0 to ", labels.size() - 1);
  }
  return names;
}

ClassIndex::ClassIndex(std::vector<std::string> names) : names_(std::move(names)) {
  numbered_ = std::none_of(names_.begin(), names_.end(), [](const std::string& name) { return whole_number(name); });
}

std::optional<uint8_t> ClassIndex::find(const std::string& label) const {
  const auto found = std::find(names_.begin(), names_.end(), label);
  if (found != names_.end()) return static_cast<uint8_t>(found - names_.begin());
  const std::optional<int64_t> number = numbered_ ? whole_number(label) : std::nullopt;
  if (!number || *number < 0 || *number >= static_cast<int64_t>(names_.size())) return std::nullopt;
  return static_cast<uint8_t>(*number);
}

}  // namespace idelta::nn
