#include "beside.h"

#include <algorithm>

namespace idelta::cli::report {
namespace {

std::string field(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  std::string quoted = "\"";
  for (const char c : value.get<std::string>()) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string line(const std::vector<std::string>& fields) {
  std::string text;
  for (size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? "" : ",") + fields[i];
  return text + "\r\n";
}

}  // namespace

std::string csv(const Json& entries) {
  std::vector<std::string> keys;
  for (const Json& entry : entries) {
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_structured() && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  std::string text = line(keys);
  for (const Json& entry : entries) {
    std::vector<std::string> fields;
    for (const std::string& key : keys) fields.push_back(entry.contains(key) ? field(entry[key]) : "");
    text += line(fields);
  }
  return text;
}

std::string images_csv(const Json& document) {
  Json rows = Json::array();
  for (const Json& image : document["images"]) {
    for (const Json& layer : image["layers"]) {
      Json row = {{"image", image["index"]}, {"why", image["why"]}, {"label", image["label"]}};
      row.update(layer);
      row["score"] = row["likelihood"];
      row.erase("likelihood");
      rows.push_back(row);
    }
  }
  return csv(rows);
}

}  // namespace idelta::cli::report
