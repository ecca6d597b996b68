// What a form's pass and the dense F32 pass can differ by, row by row, and which labels that leaves no doubt about.
#ifndef IDELTA_NN_GUARANTEE_H
#define IDELTA_NN_GUARANTEE_H

#include <cstdint>
#include <span>
#include <vector>

#include "idelta/nn.hpp"

namespace idelta::nn {

// A label that a form gives a row. Certified: the dense network gives the same, and so does one in exact arithmetic,
// for margin > bound.
struct FormLabel {
  uint8_t label = 0;
  // Of the class that comes nearest to overtaking: by how much the label's logit exceeds its, and what both could be
  // off by together. Margins are rounded down, bounds up; a bound of infinity: nothing is known.
  float margin = 0, bound = 0;

  bool certified() const { return margin > bound; }
};

// The bounds of one form of one network, which must have D and compute in F32.
class Guarantee {
 public:
  Guarantee(const Network& network, size_t form);
  // Another form of the network that `first` is of, whose last layer need not be unpacked again.
  Guarantee(const Network& network, size_t form, const Guarantee& first)
      : Guarantee(network, form, first.column_distances_) {}

  // Follows rows through the layers: start(), then after() each layer in turn with what its forward pass gave, of the
  // last layer then label().
  void start(int64_t rows) { errors_.assign(static_cast<size_t>(rows), 0.0); }
  // errors, norms: ForwardArgs::row_error and row_norm of the layer.
  void after(int64_t layer, std::span<const float> errors, std::span<const float> norms);
  FormLabel label(int64_t row, const float* logits) const;

  // By how much logit y - logit c of the form may differ from that of the dense network, and of one in exact
  // arithmetic; not finite where nothing is known. After the last layer.
  double bound(int64_t row, int64_t y, int64_t c) const;

  // How large this form's bounds usually are, compared with another's of the same network: of a row whose hidden
  // outputs all have norm 1. An estimate that only chooses who computes a row next.
  double looseness() const { return looseness_; }

 private:
  Guarantee(const Network& network, size_t form, std::vector<double> column_distances);

  // Of one layer; see the proof.
  struct Layer {
    double norm;      // ||a I + D||
    double per_norm;  // phi = per_norm ||h|| + constant
    double constant;
    double growth;  // no partial sum of the dense pass exceeds growth ||h|| + shift
    double shift;
    bool low_rank = false;                          // the form multiplies U V, or U V + R; else the rest is void
    double along = 0;                               // |a| + ||R|| + ||E||
    double reach = 0;                               // ||U|| ||V q^T|| <= reach ||h||
    double omega_per_norm = 0, omega_constant = 0;  // omega = omega_per_norm ||h|| + omega_constant
  };
  static Layer layer_of(const Network& network, size_t form, int64_t layer);
  static double moved(const Layer& layer, double e, double rho, double norm);

  const int64_t n_, classes_;
  std::vector<Layer> layers_;
  std::vector<double> column_distances_;  // C x C: ||w_y - w_c|| of the last layer's columns
  double activation_rounding_;            // relative, of a hidden layer's output
  double activation_flush_;               // of all its entries together
  double looseness_ = 0;
  std::vector<double> errors_;  // bounds of ||z - Z|| of the layer before
  std::vector<double> last_error_, last_change_;
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_GUARANTEE_H
