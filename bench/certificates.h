// How tight the certificates of packed deltas are: the worst error that an attack and a model's own rows find beside
// the bound, and what SGEMM with W makes of the same rows.
//
//   error of a row    |y^ - y|_2 / |x|_2 of y = x + x D in fp64, with neither bias nor activation; dx of dz alike
//   attack            the worst of the rows of attack.h
//   activations       x of the layer for forward, dz for backward_data
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/problem.h"

namespace idelta::bench {

// The worst row of a kind, and SGEMM's worst.
struct WorstErrors {
  double ours = 0.0, sgemm = 0.0;
};

struct CertificateRow {
  int layer;
  Pass pass;  // forward or backward_data
  idelta_format format;
  double certificate;
  WorstErrors attack, activations;

  // The worst error found / certificate: at most 1.
  double tightness() const { return std::max(attack.ours, activations.ours) / certificate; }
  bool holds() const { return tightness() <= 1.0; }
};

// The two passes of problem.layer in each format that problem.isa runs; of inputs, delta and the m rows of x and dz.
std::vector<CertificateRow> measure_certificates(const Problem& problem, const Inputs& inputs);

// A line each, and a summary of each format.
std::string to_table(const std::vector<CertificateRow>& rows);

// row_error of LOW_RANK at this rank, on forward's rows as above.
struct RowBoundRow {
  int layer;
  int64_t rank;
  double attack, activations;  // the least row_error / error found: at least 1
  double typical;              // its median on the activations
  double gain;                 // the median of certificate ||x||_2 / row_error there

  bool holds() const { return std::min(attack, activations) >= 1.0; }
};
RowBoundRow measure_row_bounds(const Problem& problem, const Inputs& inputs, int64_t rank);
std::string to_table(const std::vector<RowBoundRow>& rows);

}  // namespace idelta::bench
