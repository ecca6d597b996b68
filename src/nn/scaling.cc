#include "scaling.h"

#include <cmath>

#include "error.h"

namespace idelta::nn {

Scaling Ranges::scaling(Scale scale) const {
  Scaling found;
  if (scale == Scale::kNone || scale == Scale::kUsual) return found;
  const bool centred = scale == Scale::kMinusOneToOne;
  for (size_t f = 0; f < least_.size(); ++f) {
    const double range = greatest_[f] - least_[f], factor = (centred ? 2 : 1) / range;
    const bool constant = !(range > 0) || !std::isfinite(factor);
    found.offsets.push_back(centred && !constant ? least_[f] / 2 + greatest_[f] / 2 : least_[f]);
    found.factors.push_back(constant ? 0.0 : factor);
  }
  return found;
}

std::vector<std::string> constant_features(const std::string& path, const Scaling& scaling,
                                           const std::vector<std::string>& names) {
  constexpr size_t kNamed = 8;
  size_t found = 0;
  std::string listed;
  for (size_t f = 0; f < scaling.factors.size(); ++f) {
    if (scaling.factors[f] != 0 || ++found > kNamed) continue;
    listed += sentence(found == 1 ? "" : ", ", "feature ", f + 1);
    if (!names.empty()) listed += " ('" + names[f] + "')";
  }
  if (found == 0) return {};
  if (found > kNamed) listed += sentence(" and ", found - kNamed, " more");
  return {sentence(path, ": ", listed, found == 1 ? " is" : " are",
                   " constant in the training rows and become 0; nothing is learned from ", found == 1 ? "it" : "them",
                   ", so remove ", found == 1 ? "it" : "them", " or give more rows")};
}

}  // namespace idelta::nn
