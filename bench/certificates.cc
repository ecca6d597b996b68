// See certificates.h.
#include "bench/certificates.h"

#include <algorithm>
#include <cmath>

#include "bench/attack.h"
#include "bench/implementations/idelta.h"
#include "bench/implementations/openblas.h"

namespace idelta::bench {

namespace {

// Certificates are promised for the unscaled range of fp32. Gradients of what is classified perfectly are below it.
constexpr double kLeastNorm = 0x1p-60;

// The directions that D~, which is kept, and D - D~, which is dropped, stretch most.
struct Parts {
  SingularPair kept, dropped;

  Parts(const Delta& packed, int64_t n, const Buffer& delta) {
    Buffer stored(n * n);
    packed.unpack(stored.data(), n);
    Vector difference(delta.data(), delta.data() + n * n);
    for (int64_t i = 0; i < n * n; ++i) difference[size_t(i)] -= double(stored[i]);
    kept = leading_pair(n, Vector(stored.data(), stored.data() + n * n));
    dropped = leading_pair(n, difference);
  }
};

// A layer's D as it was given; out = x + x D of rows x, or x + x D^T.
class Layer {
 public:
  Layer(int64_t n, const Buffer& delta) : n_(n), delta_(delta) {
    weights_.copy_from(delta);
    for (int64_t i = 0; i < n; ++i) weights_[i * n + i] += 1.0f;
  }

  WorstErrors worst(const Delta& packed, const Pass& pass, const Buffer& rows) const {
    const int64_t m = rows.size() / n_;
    Buffer ours(rows.size()), sgemm(rows.size());
    if (pass == "forward") {
      packed.forward({.m = m, .x = rows.data(), .ldx = n_, .y = ours.data(), .ldy = n_});
    } else {
      packed.backward_data({.m = m, .dy = rows.data(), .lddy = n_, .dx = ours.data(), .lddx = n_});
    }
    openblas_multiply(m, n_, rows.data(), weights_.data(), pass == "backward_data", 0.0f, sgemm.data());
    WorstErrors worst;
    for (int64_t i = 0; i < m; ++i) {
      const float* x = rows.data() + i * n_;
      const double size = norm(Vector(x, x + n_));
      if (size < kLeastNorm) continue;
      const Vector exact = exact_row(pass, x);
      worst.ours = std::max(worst.ours, distance(exact, ours.data() + i * n_) / size);
      worst.sgemm = std::max(worst.sgemm, distance(exact, sgemm.data() + i * n_) / size);
    }
    return worst;
  }

  // Of forward: row_error / error of each row, and what the certificate allows / row_error.
  struct RowRatios {
    Vector tightness, gain;
  };
  RowRatios row_ratios(const Delta& packed, const Buffer& rows) const {
    const int64_t m = rows.size() / n_;
    const double certificate = packed.info().certificate;
    Buffer y(rows.size()), bounds(m);
    packed.forward({.m = m, .x = rows.data(), .ldx = n_, .y = y.data(), .ldy = n_, .row_error = bounds.data()});
    RowRatios ratios;
    for (int64_t i = 0; i < m; ++i) {
      const float* x = rows.data() + i * n_;
      const double size = norm(Vector(x, x + n_));
      if (size < kLeastNorm) continue;
      ratios.tightness.push_back(double(bounds[i]) / distance(exact_row("forward", x), y.data() + i * n_));
      ratios.gain.push_back(certificate * size / double(bounds[i]));
    }
    return ratios;
  }

 private:
  Vector exact_row(const Pass& pass, const float* x) const {
    const bool forward = pass == "forward";
    Vector y(x, x + n_);
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j < n_; ++j) {
        const double d = delta_[i * n_ + j];
        forward ? y[size_t(j)] += double(x[i]) * d : y[size_t(i)] += double(x[j]) * d;
      }
    }
    return y;
  }

  static double distance(const Vector& exact, const float* computed) {
    Vector difference(exact);
    for (size_t j = 0; j < exact.size(); ++j) difference[j] -= double(computed[j]);
    return norm(difference);
  }

  const int64_t n_;
  const Buffer& delta_;
  Buffer weights_;
};

}  // namespace

std::vector<CertificateRow> measure_certificates(const Problem& problem, const Inputs& inputs) {
  const int64_t n = problem.n;
  const Layer layer(n, inputs.delta);
  std::vector<CertificateRow> rows;
  for (const idelta_format format : formats_on(problem.isa)) {
    DeltaOptions options = kDeltaOptions;
    options.format = format;
    const Delta packed(context_for(problem.isa, problem.threads), n, inputs.delta.data(), n, options);
    const DeltaInfo info = packed.info();
    const Parts parts(packed, n, inputs.delta);
    const auto add = [&](const Pass& pass, double certificate, const Buffer& attack, const Buffer& activations) {
      rows.push_back({.layer = problem.layer,
                      .pass = pass,
                      .format = format,
                      .certificate = certificate,
                      .attack = layer.worst(packed, pass, attack),
                      .activations = layer.worst(packed, pass, activations)});
    };
    add("forward", info.certificate, attack_rows(parts.dropped.left, parts.kept.left), inputs.x);
    add("backward_data", info.certificate_backward_data, attack_rows(parts.dropped.right, parts.kept.right), inputs.dz);
  }
  return rows;
}

RowBoundRow measure_row_bounds(const Problem& problem, const Inputs& inputs, int64_t rank) {
  const int64_t n = problem.n;
  const Layer layer(n, inputs.delta);
  DeltaOptions options = kDeltaOptions;
  options.format = IDELTA_FORMAT_LOW_RANK;
  options.rank = rank;
  options.passes = IDELTA_PASS_FORWARD;
  const Delta packed(context_for(problem.isa, problem.threads), n, inputs.delta.data(), n, options);
  const Parts parts(packed, n, inputs.delta);
  const Layer::RowRatios attack = layer.row_ratios(packed, attack_rows(parts.dropped.left, parts.kept.left));
  Layer::RowRatios activations = layer.row_ratios(packed, inputs.x);
  const auto least = [](const Vector& v) { return *std::min_element(v.begin(), v.end()); };
  const auto median = [](Vector& v) {
    std::nth_element(v.begin(), v.begin() + ptrdiff_t(v.size() / 2), v.end());
    return v[v.size() / 2];
  };
  return {.layer = problem.layer,
          .rank = rank,
          .attack = least(attack.tightness),
          .activations = least(activations.tightness),
          .typical = median(activations.tightness),
          .gain = median(activations.gain)};
}

}  // namespace idelta::bench
