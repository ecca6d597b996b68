// Each feature brought to one range: (value - offset) * factor, in fp64, with numbers of the training set.
#ifndef IDELTA_NN_SCALING_H
#define IDELTA_NN_SCALING_H

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "idelta/nn.hpp"

namespace idelta::nn {

// The least and the greatest value of each feature.
class Ranges {
 public:
  explicit Ranges(size_t features)
      : least_(features, std::numeric_limits<double>::infinity()),
        greatest_(features, -std::numeric_limits<double>::infinity()) {}

  template <class Number>
  void see(std::span<const Number> row) {
    for (size_t f = 0; f < row.size(); ++f) {
      least_[f] = std::min(least_[f], static_cast<double>(row[f]));
      greatest_[f] = std::max(greatest_[f], static_cast<double>(row[f]));
    }
  }

  // Of these ranges; empty for kNone.
  Scaling scaling(Scale scale) const;

 private:
  std::vector<double> least_, greatest_;
};

// What a scaling makes of one row; the row itself if the scaling is empty.
template <class Number>
void scale_row(const Scaling& scaling, std::span<const Number> row, float* out) {
  for (size_t f = 0; f < row.size(); ++f) {
    const auto value = static_cast<double>(row[f]);
    out[f] = static_cast<float>(scaling.empty() ? value : (value - scaling.offsets[f]) * scaling.factors[f]);
  }
}

// Features that a scaling makes 0, since they are constant in the training set; each is named, or counted where there
// are no names. A sentence, or none.
std::vector<std::string> constant_features(const std::string& path, const Scaling& scaling,
                                           const std::vector<std::string>& names);

}  // namespace idelta::nn

#endif  // IDELTA_NN_SCALING_H
