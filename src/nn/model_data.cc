#include "model_data.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "error.h"
#include "names.h"

namespace idelta::nn {
namespace {

using Json = nlohmann::json;

constexpr char kFeatures[] = "feature_names", kClasses[] = "class_names", kLabel[] = "label_name",
               kScaling[] = "scaling", kOffsets[] = "offsets", kFactors[] = "factors";

struct Damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// None of these texts nests deeper: a hostile one ends here.
constexpr int kMostNested = 2;

Json parsed(const std::string& text) {
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMostNested) throw Damaged(sentence("nests deeper than ", kMostNested));
    return true;
  };
  if (text.find('\0') != std::string::npos) throw Damaged("holds a NUL");  // where the parser would end
  return Json::parse(text, shallow);
}

const Json& list(const Json& json, int64_t size) {
  if (!json.is_array() || json.size() != static_cast<size_t>(size)) throw Damaged(sentence("is no list of ", size));
  return json;
}

std::vector<std::string> names(const Json& json, int64_t size) {
  std::vector<std::string> found;
  for (const Json& name : list(json, size)) {
    if (!name.is_string()) throw Damaged("holds what is no text");
    const std::string why = unfit_as_name(name.get_ref<const std::string&>());
    if (!why.empty()) throw Damaged("holds a name that " + why);
    found.push_back(name);
  }
  return found;
}

std::vector<double> numbers(const Json& json, const char* key, int64_t size) {
  if (!json.is_object() || !json.contains(key)) throw Damaged(sentence("has no ", key));
  std::vector<double> found;
  for (const Json& number : list(json[key], size)) {
    if (!number.is_number()) throw Damaged("holds what is no number");
    found.push_back(number);
  }
  return found;
}

}  // namespace

void add_data_metadata(const NetworkOptions& options, MetadataMap& metadata) {
  if (!options.feature_names.empty()) metadata[kFeatures] = Json(options.feature_names).dump();
  if (!options.class_names.empty()) metadata[kClasses] = Json(options.class_names).dump();
  if (!options.label_name.empty()) metadata[kLabel] = options.label_name;
  if (!options.scaling.empty()) {
    metadata[kScaling] = Json{{kOffsets, options.scaling.offsets}, {kFactors, options.scaling.factors}}.dump();
  }
}

void read_data_metadata(const std::string& path, const MetadataMap& metadata, NetworkOptions& options) {
  const char* key = kFeatures;
  const auto if_there = [&](const char* of, const auto& read) {
    key = of;
    const auto found = metadata.find(key);
    if (found != metadata.end()) read(found->second);
  };
  try {
    if_there(kFeatures,
             [&](const std::string& text) { options.feature_names = names(parsed(text), options.pixels()); });
    if_there(kClasses, [&](const std::string& text) { options.class_names = names(parsed(text), options.classes); });
    if_there(kLabel, [&](const std::string& text) {
      if (!unfit_as_name(text).empty()) throw Damaged("is no name");
      options.label_name = text;
    });
    if_there(kScaling, [&](const std::string& text) {
      const Json json = parsed(text);
      options.scaling = {numbers(json, kOffsets, options.pixels()), numbers(json, kFactors, options.pixels())};
    });
  } catch (const Json::exception&) {
    fail(path, ": the '", key, "' of its metadata is not JSON; the file is damaged");
  } catch (const Damaged& e) {
    fail(path, ": the '", key, "' of its metadata ", e.what(), "; the file is damaged");
  }
}

}  // namespace idelta::nn
