// The proof. For one row let h_l be the outputs and z_l the arguments of the activation that the form computes, H_l and
// Z_l those that the dense F32 network computes; h_0 = H_0 is the padded image. With W = a I + D, exactly,
//
//   || z_l - (h_{l-1} W + b) || <= rho_l             row_error of the form's pass
//   || Z_l - (H_{l-1} W + b) || <= phi_l(||H_{l-1}||)  of the dense F32 pass
//   d_l := || z_l - Z_l ||  <=  || (h_{l-1} - H_{l-1}) W + r || + phi_l(||h_{l-1}|| + e_{l-1}),   r of the first line
//   e_l := || h_l - H_l ||  <=  d_l + the rounding of both activations
//
// since every activation is 1-Lipschitz. leaky_relu rounds slope z, tanh errs by less than 2 ulp, the others are exact:
// by at most k u ||h_l|| and k u ||H_l|| <= k u (||h_l|| + e_l), so that e_l (1 - k u) <= d_l + 2 k u ||h_l|| and what
// is flushed.
//
// The first norm is at most ||W|| e + rho. It is less where the form multiplies U V, with or without a tail R. With E =
// D - U V - R, h~ what the tail multiplies for h (integers times a scale), q = h E - (h~ - h) R, r = o - q and ||o|| <=
// omega, the roundings of the form's pass. What truncation drops and what a tail rounds hardly lie along the directions
// that W stretches, for W q^T = a q^T + U (V q^T) + (R + E) q^T:
//
//   (h - H) W q^T  <=  e ((|a| + ||R|| + ||E||) ||q|| + ||U|| ||V q^T||),     ||q|| <= rho + omega
//   ||V q^T||      <=  (||V E^T|| + delta ||V R^T||) ||h||,     ||h~ - h|| <= delta ||h|| with delta = sqrt(n) / 254
//   || (h - H) W + r ||^2  <=  ||W||^2 e^2 + rho^2
//                              + 2 e ((|a| + ||R|| + ||E||) (rho + omega) + ||U|| ||V q^T|| + ||W|| omega)
//
// omega counts the roundings of chains of n and r terms, of bias and of a x, by ||U||_F^2 <= r ||U||^2 <= r (1 +
// departure), ||V||_F^2 <= r ||V||^2 and ||V|| sqrt(1 - departure) <= ||U V|| <= ||D|| + ||E|| + ||R||; and, with much
// to spare, what denormals lose. The sums of integers are exact: of h~ R a scale, the conversion, the sum with the head
// and the two roundings after that count, and rows that are too small for integers are among what denormals lose.
//
// phi is the dense certificate c, and what the bias adds to it: the sum s of x D, ||s|| <= (||D|| + c) ||x||, is
// rounded once more with b, and b twice. And what denormals lose, by the elementwise bound in idelta.h's head.
//
// In the last layer, which is linear, the difference of two logits changes by
//
//   | (z - Z)_y - (z - Z)_c |  <=  || w_y - w_c || e_{L-1} + sqrt(2) (rho_L + phi_L)
//
// for columns w of W. The label y is certified if its logit exceeds every other by more; then the dense network's logit
// y is the largest, strictly. The same bound without phi holds for a network in exact arithmetic, whose label is the
// same therefore. That is why roundings count from the first layer on, even where a form multiplies D itself in its
// first layers and both passes still have the same bits: they need not have those of exact arithmetic.
//
// Bounds are summed in fp64, each rounded up by kSlack. Where a partial sum of the dense pass might overflow nothing is
// certified; of the form's own pass row_error is then infinite. What is not finite stays so from layer to layer (NaN,
// where a norm is 0), and certifies nothing.
#include "guarantee.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "error.h"
#include "loss.h"

namespace idelta::nn {
namespace {

constexpr double kUnit = 0x1p-24;        // of fp32
constexpr double kSlack = 1 + 0x1p-40;   // for a few operations in fp64
constexpr double kLargestSum = 0x1p126;  // what cannot overflow in fp32
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kHalf = (1 + 0x1p-15) / 254;  // what an entry rounded to -127 .. 127 errs by, of the largest
constexpr float kUnknown = std::numeric_limits<float>::infinity();  // as a bound

// What looseness() takes for the error of a row: this much of what truncation drops at worst, and of the row's norm
// where it is rounded to integers. Together they make labels 1.05 times as fast as 1 and 0 do; 0.3 of what is dropped
// is no faster than 0.5 (10 layers of n = 794 with tails, Zen 4, 2026-11).
constexpr double kUsuallyDropped = 0.5, kUsuallyRounded = 0.01;

// k roundings of one term.
double gamma(double k) { return k * kUnit / (1 - k * kUnit); }

// Relative to what it gives. Of tanh 2 ulp are 4 u; over all floats it errs by 2.4 u at most (kernels/activation.h has
// the same bits on every ISA).
double rounding_of(idelta_activation_kind kind) {
  switch (kind) {
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return kUnit;
    case IDELTA_ACTIVATION_TANH:
      return 4 * kUnit;
    default:
      return 0;
  }
}

double norm_of(std::span<const float> values) {
  double squares = 0;
  for (const float v : values) squares += static_cast<double>(v) * v;
  return std::sqrt(squares) * kSlack;
}

// || w_y - w_c || of the last `classes` columns of a I + D. What the sum of three numbers loses is beside the largest
// of them, not beside their sum.
std::vector<double> distances_of_columns(const std::vector<float>& D, int64_t n, int64_t classes, double a) {
  std::vector<double> distances(static_cast<size_t>(classes * classes));
  const int64_t first = n - classes;
  const double slack = kSlack + static_cast<double>(n) * 0x1p-52;
  for (int64_t y = 0; y < classes; ++y) {
    for (int64_t c = 0; c < y; ++c) {
      double squares = 0;
      for (int64_t k = 0; k < n; ++k) {
        const float* const row = D.data() + k * n + first;
        const double identity = k == first + y ? a : k == first + c ? -a : 0.0;
        const double at_y = row[y], at_c = row[c];
        const double lost = 0x1p-51 * (std::fabs(at_y) + std::fabs(at_c) + std::fabs(identity));
        const double difference = std::fabs(at_y - at_c + identity) + lost;
        squares += difference * difference;
      }
      distances[y * classes + c] = distances[c * classes + y] = std::sqrt(squares) * slack;
    }
  }
  return distances;
}

float rounded_up(double value) {
  const auto nearest = static_cast<float>(value);
  return nearest >= value ? nearest : std::nextafter(nearest, std::numeric_limits<float>::infinity());
}

float rounded_down(double value) { return -rounded_up(-value); }

}  // namespace

Guarantee::Guarantee(const Network& network, size_t form)
    : Guarantee(network, form,
                distances_of_columns(network.delta(network.layers() - 1), network.n(), network.options().classes,
                                     network.options().identity_scale)) {}

Guarantee::Guarantee(const Network& network, size_t form, std::vector<double> column_distances)
    : n_(network.n()),
      classes_(network.options().classes),
      column_distances_(std::move(column_distances)),
      activation_rounding_(rounding_of(network.options().activation.kind)),
      activation_flush_(2 * std::sqrt(static_cast<double>(n_)) * 0x1p-126) {
  for (int64_t l = 0; l < network.layers(); ++l) {
    layers_.push_back(layer_of(network, form, l));
    const Layer& layer = layers_.back();
    const LowRankProof& proof = network.forms()->layers()[static_cast<size_t>(l)].proofs[form];
    const double lost = layer.low_rank ? kUsuallyDropped * proof.dropped + kUsuallyRounded * proof.tail : 0;
    looseness_ = moved(layer, looseness_, lost, 1) + layer.per_norm;
  }
}

Guarantee::Layer Guarantee::layer_of(const Network& network, size_t form, int64_t l) {
  constexpr double kMore = 1 + 0x1p-20;  // for the operations below
  const Forms::Layer& parts = network.forms()->layers()[static_cast<size_t>(l)];
  const LayerBounds& b = parts.bounds;
  const double a = std::fabs(static_cast<double>(network.options().identity_scale));
  const double n = static_cast<double>(network.n()), bias = norm_of(network.bias(l));
  Layer layer{.norm = b.norm,
              .per_norm = (b.dense_error + kUnit * (b.delta_norm + b.dense_error) + (n + 1) * 0x1p-125) * kMore,
              .constant = (2 * kUnit * bias + 0x1p-125 * (std::sqrt(n) * (n + 4 + a) + n * b.delta_norm)) * kMore,
              .growth = (std::sqrt(n) * b.delta_norm + a) * 2,
              .shift = bias * 2};
  const LowRankProof& proof = parts.proofs[form];
  layer.low_rank = network.forms()->packed(form, l) && proof.departure < 1;
  if (!layer.low_rank) return layer;
  const Form& what = network.forms()->form(form);
  const auto index = static_cast<size_t>(l);
  const bool tail = what.has_tail(index);
  const double R = tail ? proof.tail : 0, delta = std::sqrt(n) * kHalf;
  const double r = static_cast<double>(what.ranks[index]);
  const double U = std::sqrt(1 + proof.departure), U_frobenius = U * std::sqrt(r);
  const double V = (b.delta_norm + proof.dropped + R) / std::sqrt(1 - proof.departure), V_frobenius = V * std::sqrt(r);
  const double of_t = gamma(n) * U_frobenius, flushed = n * n * 0x1p-120;
  layer.along = (a + proof.dropped + R) * kMore;
  layer.reach = U * (proof.reverse_overlap + (tail ? delta * parts.tail->reverse_overlap : 0)) * kMore;
  layer.omega_per_norm = (of_t * V + gamma(r + 3) * (U + of_t) * V_frobenius + gamma(5) * (1 + delta) * R + kUnit * a +
                          n * 0x1p-120 * (2 + V)) *
                         kMore;
  layer.omega_constant =
      (2 * kUnit * bias + flushed * (2 + V + a + b.delta_norm + R) + (tail ? n * (n + 8) * 0x1p-112 : 0)) * kMore;
  return layer;
}

// || (h - H) W + r ||; see the proof.
double Guarantee::moved(const Layer& layer, double e, double rho, double norm) {
  const double stretched = layer.norm * e, sum = stretched + rho;
  if (!layer.low_rank) return sum;
  const double omega = layer.omega_per_norm * norm + layer.omega_constant;
  const double inner = e * (layer.along * (rho + omega) + layer.reach * norm + layer.norm * omega);
  return std::min(sum, std::sqrt(stretched * stretched + 2 * inner + rho * rho) * kSlack);
}

void Guarantee::after(int64_t layer, std::span<const float> errors, std::span<const float> norms) {
  const Layer& bounds = layers_[static_cast<size_t>(layer)];
  const bool first = layer == 0, last = layer + 1 == static_cast<int64_t>(layers_.size());
  const auto rows = errors_.size();
  if (last) last_error_.resize(rows), last_change_.resize(rows);
  for (size_t i = 0; i < rows; ++i) {
    const double norm = norms[i], before = errors_[i];
    // Of what this layer was given.
    const double rounded = before + 2 * activation_rounding_ * norm + activation_flush_;
    const double e = first ? 0 : rounded / (1 - activation_rounding_) * kSlack;
    double phi = (bounds.per_norm * (norm + e) + bounds.constant) * kSlack;
    if (!(bounds.growth * (norm + e) + bounds.shift < kLargestSum)) phi = kInfinity;
    if (last) last_error_[i] = e, last_change_[i] = (errors[i] + phi) * kSlack;
    errors_[i] = (moved(bounds, e, errors[i], norm) + phi) * kSlack;
  }
}

double Guarantee::bound(int64_t row, int64_t y, int64_t c) const {
  const auto i = static_cast<size_t>(row);
  return (column_distances_[y * classes_ + c] * last_error_[i] + std::sqrt(2.0) * last_change_[i]) * kSlack;
}

FormLabel Guarantee::label(int64_t row, const float* logits) const {
  FormLabel result{0, 0.0f, kUnknown};
  const int64_t y = argmax({logits, static_cast<size_t>(classes_)});
  if (y < 0) return result;
  result.label = static_cast<uint8_t>(y);
  double least = kInfinity;
  for (int64_t c = 0; c < classes_; ++c) {
    if (c == y) continue;
    const double margin = static_cast<double>(logits[y]) - logits[c];  // exact but for one rounding in fp64
    const double off = bound(row, y, c);
    if (!std::isfinite(margin) || !std::isfinite(off)) return {result.label, 0.0f, kUnknown};
    if (margin - off >= least) continue;
    least = margin - off;
    result.margin = rounded_down(margin), result.bound = rounded_up(off);
  }
  return result;
}

}  // namespace idelta::nn
