// What a model file keeps of the set that its network was trained on. In the metadata, each only if it is known:
//   feature_names, class_names   JSON lists of texts, one of each input and of each class
//   label_name                   the name of the column that held the labels
//   scaling                      JSON: {"offsets": [P numbers], "factors": [P numbers]}, as Scaling has them
// Numbers are text that reads back to the same bits.
#ifndef IDELTA_NN_MODEL_DATA_H
#define IDELTA_NN_MODEL_DATA_H

#include <string>

#include "idelta/nn.hpp"
#include "model_forms.h"

namespace idelta::nn {

void add_data_metadata(const NetworkOptions& options, MetadataMap& metadata);

// Fills the fields of `options`, whose sizes are read already. Throws a sentence that begins with `path` for a text
// that is damaged.
void read_data_metadata(const std::string& path, const MetadataMap& metadata, NetworkOptions& options);

}  // namespace idelta::nn

#endif  // IDELTA_NN_MODEL_DATA_H
