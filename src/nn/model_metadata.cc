#include "model_metadata.h"

#include "hash.h"
#include "model_data.h"

namespace idelta::nn {
namespace {

constexpr char kTraining[] = "training.";

}  // namespace

const std::string& Metadata::get(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) {
    fail(path_, ": its metadata has no '", key, "', so it is no model that idelta saved; give one that is");
  }
  return found->second;
}

std::string Metadata::get_if_there(const std::string& key) const { return has(key) ? get(key) : std::string(); }

void Metadata::expect(const std::string& key, const std::string& wanted) const {
  if (get(key) != wanted) fail(path_, ": its metadata says ", key, " '", get(key), "'; only '", wanted, "' is read");
}

void Metadata::expect_version(const std::string& wanted, const std::string& newest) const {
  if (get("version") == wanted) return;
  int64_t version = 0, known = 0;
  read("version", version);
  read_text(newest, known);
  if (version <= known) expect("version", wanted);
  fail(path_, ": was written by a newer idelta, as version ", version, ", and this one reads up to ", newest,
       "; update idelta, or save the model with this one");
}

void Metadata::refuse(const std::string& key, const std::string& value, const std::string& known) const {
  fail(path_, ": its metadata says ", key, " '", value, known.starts_with("which") ? "', " : "'; ", known);
}

MetadataMap describe(const Network& network, const TrainedWith& how) {
  MetadataMap metadata = settings(network.options());
  if (!how.compute.empty()) metadata["compute"] = how.compute;
  if (!how.bf16_product.empty()) metadata["bf16_product"] = how.bf16_product;
  for (const auto& [name, value] : how.settings) metadata[kTraining + name] = value;
  add_data_metadata(network.options(), metadata);
  return metadata;
}

NetworkOptions read_network_options(const Metadata& metadata) {
  NetworkOptions options;
  visit_fields(options, [&](const char* name, auto& field) { metadata.read(name, field); });
  width_of(metadata.path(), options);  // no size overflows from here on
  read_data_metadata(metadata.path(), metadata.values(), options);
  return options;
}

TrainedWith read_trained_with(const Metadata& metadata) {
  TrainedWith how = {metadata.get_if_there("compute"), metadata.get_if_there("bf16_product")};
  for (const auto& [key, value] : metadata.values()) {
    if (key.starts_with(kTraining)) how.settings[key.substr(sizeof kTraining - 1)] = value;
  }
  return how;
}

TrainOptions read_train_options(const Metadata& metadata) {
  TrainOptions options;
  visit_fields(options, [&](const char* name, auto& field) { metadata.read(std::string(kTraining) + name, field); });
  return options;
}

int64_t width_of(const std::string& path, const NetworkOptions& options) {
  int64_t n = 0;
  if (options.height < 1 || options.width < 1 || options.classes < 1 ||
      __builtin_mul_overflow(options.height, options.width, &n) || __builtin_add_overflow(n, options.classes, &n)) {
    fail(path, ": its metadata says images of ", options.height, " x ", options.width, " and ", options.classes,
         " classes; the file is damaged");
  }
  return n;
}

void check_metadata_hash(const Metadata& metadata, const char* mend) {
  if (!metadata.has("hash") || metadata.get("hash") == hex(metadata_hash(metadata.values()))) return;
  fail(metadata.path(), ": its metadata is not what was saved; the file is damaged or was edited: ", mend);
}

}  // namespace idelta::nn
