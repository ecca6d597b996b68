// Singular values of every layer, and how the singular vectors of the layers lie to each other.
#include <algorithm>
#include <cmath>

#include "error.h"
#include "idelta/nn.hpp"
#include "norms.h"

namespace idelta::nn {
namespace {

WeightReport report_of(const std::vector<float>& D, int64_t n, float identity_scale, std::vector<float> values) {
  const auto width = static_cast<double>(n);
  const double a = identity_scale, norm = frobenius_norm(D);
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += D[i * n + i];
  // ||a I + D||_F^2 without forming it; roundings may leave less than 0 of a W that is 0.
  const double squared = std::max(0.0, a * a * width + 2 * a * trace + norm * norm);
  const std::vector<double> squares = [&] {
    std::vector<double> found;
    for (const float v : values) found.push_back(static_cast<double>(v) * v);
    return found;
  }();
  WeightReport report;
  report.spectral_norm = values[0];
  report.frobenius_ratio = norm / std::sqrt(width);
  report.cosine_to_identity = squared == 0 ? 0.0 : (a * width + trace) / std::sqrt(squared * width);
  report.effective_rank = effective_count(squares);
  report.singular_values = std::move(values);
  return report;
}

// ||A B^T||_F / sqrt(r) of rows that are orthonormal, r the smaller number of rows.
double overlap(const std::vector<float>& A, const std::vector<float>& B, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < A.size(); i += n) {
    for (size_t j = 0; j < B.size(); j += n) {
      double product = 0;
      for (size_t k = 0; k < n; ++k) product += static_cast<double>(A[i + k]) * B[j + k];
      sum += product * product;
    }
  }
  const size_t fewer = std::min(A.size(), B.size()) / n;
  return fewer == 0 ? 0.0 : std::sqrt(sum / static_cast<double>(fewer));
}

std::vector<double> overlaps(const std::vector<std::vector<float>>& bases, int64_t n) {
  const size_t layers = bases.size();
  std::vector<double> found(layers * layers);
  for (size_t i = 0; i < layers; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      found[i * layers + j] = found[j * layers + i] = overlap(bases[i], bases[j], static_cast<size_t>(n));
    }
  }
  return found;
}

}  // namespace

WeightGeometry weight_geometry(const Network& network, int64_t vectors, const PartDone& progress) {
  const int64_t n = network.n();
  if (vectors < 1 || vectors > n) fail("weight_geometry: vectors is ", vectors, "; give 1 to ", n);
  WeightGeometry geometry;
  std::vector<std::vector<float>> left, right;
  for (int64_t l = 0; l < network.layers(); ++l) {
    const std::vector<float> D = network.delta(l);
    SingularValues found = singular_values(D, n, vectors);
    geometry.layers.push_back(report_of(D, n, network.options().identity_scale, std::move(found.values)));
    left.push_back(std::move(found.left));
    right.push_back(std::move(found.right));
    if (progress) progress(l + 1, network.layers());
  }
  geometry.alignment = {.vectors = vectors,
                        .left = overlaps(left, n),
                        .right = overlaps(right, n),
                        .random = std::sqrt(static_cast<double>(vectors) / static_cast<double>(n))};
  return geometry;
}

}  // namespace idelta::nn
