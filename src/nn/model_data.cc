#include "model_data.h"

#include <nlohmann/json.hpp>

#include "error.h"
#include "names.h"
#include "shallow_json.h"

namespace idelta::nn {
namespace {

using Json = nlohmann::json;

constexpr char kFeatures[] = "feature_names", kClasses[] = "class_names", kLabel[] = "label_name",
               kScaling[] = "scaling", kOffsets[] = "offsets", kFactors[] = "factors";

// What is wrong with a text, as "holds a NUL", comes out of these as an exception.
Json parsed(const std::string& text) {
  constexpr int kMostNested = 2;  // an object of lists
  return parse_shallow<Json>(text, kMostNested, "");
}

const Json& list(const Json& json, int64_t size) {
  if (!json.is_array() || json.size() != static_cast<size_t>(size)) fail("is no list of ", size);
  return json;
}

std::vector<std::string> names(const Json& json, int64_t size) {
  std::vector<std::string> found;
  for (const Json& name : list(json, size)) {
    if (!name.is_string()) fail("holds what is no text");
    const std::string why = unfit_as_name(name.get_ref<const std::string&>());
    if (!why.empty()) fail("holds a name that ", why);
    found.push_back(name);
  }
  return found;
}

std::vector<double> numbers(const Json& json, const char* key, int64_t size) {
  if (!json.is_object() || !json.contains(key)) fail("has no ", key);
  std::vector<double> found;
  for (const Json& number : list(json[key], size)) {
    if (!number.is_number()) fail("holds what is no number");
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
      if (!unfit_as_name(text).empty()) fail("is no name");
      options.label_name = text;
    });
    if_there(kScaling, [&](const std::string& text) {
      const Json json = parsed(text);
      options.scaling = {numbers(json, kOffsets, options.pixels()), numbers(json, kFactors, options.pixels())};
    });
  } catch (const Json::exception&) {
    fail(path, ": the '", key, "' of its metadata is not JSON; the file is damaged");
  } catch (const std::runtime_error& e) {
    fail(path, ": the '", key, "' of its metadata ", e.what(), "; the file is damaged");
  }
}

}  // namespace idelta::nn
