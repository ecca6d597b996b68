// The metadata of model files and checkpoints, as text that reads back to the same bits:
//   layers, height, width, classes, identity_scale, activation, slope, class_padding
// what model_data.h says of the training set,
// and, where it is known, how training computed: compute, bf16_product and training.<setting> of TrainedWith.
#ifndef IDELTA_NN_MODEL_METADATA_H
#define IDELTA_NN_MODEL_METADATA_H

#include <string>

#include "error.h"
#include "idelta/nn.hpp"
#include "model_forms.h"
#include "option_fields.h"
#include "safetensors.h"

namespace idelta::nn {

// Of a file, whose name its errors begin with.
class Metadata {
 public:
  explicit Metadata(const SafetensorsFile& file) : path_(file.path()), values_(file.header().metadata) {}

  const std::string& path() const { return path_; }
  const MetadataMap& values() const { return values_; }
  bool has(const std::string& key) const { return values_.count(key) != 0; }
  const std::string& get(const std::string& key) const;
  std::string get_if_there(const std::string& key) const;  // empty if there is none
  void expect(const std::string& key, const std::string& wanted) const;
  void expect_version(const std::string& wanted, const std::string& newest) const;

  template <class Field>
  void read(const std::string& key, Field& field) const {
    const std::string& value = get(key);
    if (!read_text(value, field)) refuse(key, value, known_texts(field));
  }

 private:
  [[noreturn]] void refuse(const std::string& key, const std::string& value, const std::string& known) const;

  const std::string& path_;
  const MetadataMap& values_;
};

// What the metadata say of a network, without format, version and hashes.
MetadataMap describe(const Network& network, const TrainedWith& how);

NetworkOptions read_network_options(const Metadata& metadata);
TrainedWith read_trained_with(const Metadata& metadata);
TrainOptions read_train_options(const Metadata& metadata);

// n of a network, whose options are not trusted yet.
int64_t width_of(const std::string& path, const NetworkOptions& options);

// Throws for metadata that are not those of the hash in them, if there is one.
void check_metadata_hash(const Metadata& metadata, const char* mend);

}  // namespace idelta::nn

#endif  // IDELTA_NN_MODEL_METADATA_H
