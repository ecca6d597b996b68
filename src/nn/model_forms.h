// What a model file says of its forms, beside the tensors of their factors. In the metadata
//   forms  one JSON text: names, of each layer what it holds and what was proved, and hashes of D, b and the factors
//   hash   of all the rest of the metadata, `forms` too
// as text that reads back to the same bits. Hashes are 16 hexadecimal digits.
#ifndef IDELTA_NN_MODEL_FORMS_H
#define IDELTA_NN_MODEL_FORMS_H

#include <map>
#include <string>

#include "idelta/nn.hpp"

namespace idelta::nn {

using MetadataMap = std::map<std::string, std::string>;

struct FormsRecord {
  struct Layer {
    bool has_delta = true;  // D is in the file
    uint64_t factor_hash = 0, tail_hash = 0;
  };
  std::vector<Form> forms;
  std::vector<Forms::Layer> layers;  // U and V empty, and those of tails
  std::vector<Layer> stored;

  bool has_dense() const;
  // Whether a form multiplies D itself in a layer, which a file then cannot drop.
  bool needs_delta(size_t layer) const;
};

uint64_t factor_hash(const Forms::Layer& layer);
uint64_t tail_hash(const Forms::Tail& tail);

std::string forms_text(const FormsRecord& record);

// Throws a sentence that begins with `path` for a text that is damaged or promises what cannot be.
FormsRecord parse_forms(const std::string& path, const std::string& text, int64_t layers, int64_t n);

// Of everything but `hash` itself.
uint64_t metadata_hash(const MetadataMap& metadata);

}  // namespace idelta::nn

#endif  // IDELTA_NN_MODEL_FORMS_H
