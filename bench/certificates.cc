// See certificates.h.
#include "bench/certificates.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bench/implementations/idelta.h"
#include "bench/implementations/openblas.h"

namespace idelta::bench {

namespace {

using Vector = std::vector<double>;

// Certificates are promised for the unscaled range of fp32. Gradients of what is classified perfectly are below it.
constexpr double kLeastNorm = 0x1p-60;

double norm(const Vector& v) {
  double squares = 0.0;
  for (const double value : v) squares += value * value;
  return std::sqrt(squares);
}

void normalize(Vector& v) {
  const double length = norm(v);
  for (double& value : v) value /= length > 0.0 ? length : 1.0;
}

// Of unit length, left A = s right for the largest singular value s; zero if A is.
struct SingularPair {
  Vector left, right;
};

// By power iteration. What it falls short of weakens the attack and nothing else.
SingularPair leading_pair(int64_t n, const Vector& A) {
  constexpr int kSteps = 40;
  SingularPair pair{Vector(size_t(n)), Vector(size_t(n))};
  for (int64_t i = 0; i < n; ++i) pair.left[size_t(i)] = i % 3 == 0 ? 1.0 : -0.7;  // at right angles to nothing likely
  for (int step = 0; step < kSteps; ++step) {
    std::fill(pair.right.begin(), pair.right.end(), 0.0);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) pair.right[size_t(j)] += pair.left[size_t(i)] * A[size_t(i * n + j)];
    }
    normalize(pair.right);
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0.0;
      for (int64_t j = 0; j < n; ++j) sum += A[size_t(i * n + j)] * pair.right[size_t(j)];
      pair.left[size_t(i)] = sum;
    }
    normalize(pair.left);
  }
  return pair;
}

// 3 x n: see the head of certificates.h. The second row has the signs and the nearest powers of two of `kept`, each
// just below a tie, so that bf16 takes nearly 2^-8 of every entry.
Buffer attack_rows(const Vector& dropped, const Vector& kept) {
  const auto n = int64_t(kept.size());
  Buffer rows(3 * n);
  for (int64_t j = 0; j < n; ++j) {
    const double e = dropped[size_t(j)], k = kept[size_t(j)];
    const double power = k == 0.0 ? 0.0 : std::copysign(std::exp2(std::round(std::log2(std::fabs(k)))), k);
    rows[j] = float(e);
    rows[n + j] = float(power * (1.0 + 0x1.fep-9));
    rows[2 * n + j] = float(power * (1.0 + 0x1.fep-9) + e * 0x1p-9);
  }
  return rows;
}

// A layer's D as it was given; out = x + x D of rows x, or x + x D^T.
class Layer {
 public:
  Layer(int64_t n, const Buffer& delta) : n_(n), delta_(delta) {
    weights_.copy_from(delta);
    for (int64_t i = 0; i < n; ++i) weights_[i * n + i] += 1.0f;
  }

  WorstErrors worst(const Delta& packed, Pass pass, const Buffer& rows) const {
    const int64_t m = rows.size() / n_;
    Buffer ours(rows.size()), sgemm(rows.size());
    if (pass == Pass::kForward) {
      packed.forward({.m = m, .x = rows.data(), .ldx = n_, .y = ours.data(), .ldy = n_});
    } else {
      packed.backward_data({.m = m, .dy = rows.data(), .lddy = n_, .dx = ours.data(), .lddx = n_});
    }
    openblas_multiply(m, n_, rows.data(), weights_.data(), pass == Pass::kBackwardData, 0.0f, sgemm.data());
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
      ratios.tightness.push_back(double(bounds[i]) / distance(exact_row(Pass::kForward, x), y.data() + i * n_));
      ratios.gain.push_back(certificate * size / double(bounds[i]));
    }
    return ratios;
  }

 private:
  Vector exact_row(Pass pass, const float* x) const {
    Vector y(x, x + n_);
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j < n_; ++j) {
        const double d = delta_[i * n_ + j];
        pass == Pass::kForward ? y[size_t(j)] += double(x[i]) * d : y[size_t(i)] += double(x[j]) * d;
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

RowBoundRow measure_row_bounds(const Problem& problem, const Inputs& inputs, int64_t rank) {
  const int64_t n = problem.n;
  const Layer layer(n, inputs.delta);
  DeltaOptions options = kDeltaOptions;
  options.format = IDELTA_FORMAT_LOW_RANK;
  options.rank = rank;
  options.passes = IDELTA_PASS_FORWARD;
  const Delta packed(context_for(problem.isa, problem.threads), n, inputs.delta.data(), n, options);
  Buffer stored(n * n);
  packed.unpack(stored.data(), n);
  Vector dropped(inputs.delta.data(), inputs.delta.data() + n * n);
  for (int64_t i = 0; i < n * n; ++i) dropped[size_t(i)] -= double(stored[i]);
  const SingularPair of_kept = leading_pair(n, Vector(stored.data(), stored.data() + n * n));
  const Layer::RowRatios attack = layer.row_ratios(packed, attack_rows(leading_pair(n, dropped).left, of_kept.left));
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

std::string to_table(const std::vector<RowBoundRow>& rows) {
  std::string text =
      "\nrow_error of low_rank / the error found of y = x + x D: the least of the attack's rows, the least and the\n"
      "median of the activations; gain: what the certificate times |x|_2 allows / row_error, the median.\n\n"
      "layer  rank    attack  activations    median      gain\n";
  char line[120];
  for (const RowBoundRow& row : rows) {
    std::snprintf(line, sizeof line, "%5d  %4d  %8.2f  %11.2f  %8.2f  %8.2f%s\n", row.layer, int(row.rank), row.attack,
                  row.activations, row.typical, row.gain,
                  std::min(row.attack, row.activations) >= 1.0 ? "" : "  BROKEN");
    text += line;
  }
  return text;
}

double CertificateRow::tightness() const { return std::max(attack.ours, activations.ours) / certificate; }

std::vector<CertificateRow> measure_certificates(const Problem& problem, const Inputs& inputs) {
  const int64_t n = problem.n;
  const Layer layer(n, inputs.delta);
  std::vector<CertificateRow> rows;
  for (const idelta_format format : formats_on(problem.isa)) {
    DeltaOptions options = kDeltaOptions;
    options.format = format;
    const Delta packed(context_for(problem.isa, problem.threads), n, inputs.delta.data(), n, options);
    const DeltaInfo info = packed.info();
    Buffer stored(n * n);
    packed.unpack(stored.data(), n);
    Vector dropped(inputs.delta.data(), inputs.delta.data() + n * n);
    for (int64_t i = 0; i < n * n; ++i) dropped[size_t(i)] -= double(stored[i]);
    const SingularPair of_dropped = leading_pair(n, dropped);
    const SingularPair of_kept = leading_pair(n, Vector(stored.data(), stored.data() + n * n));
    const auto add = [&](Pass pass, double certificate, const Buffer& attack, const Buffer& activations) {
      rows.push_back({.layer = problem.layer,
                      .pass = pass,
                      .format = format,
                      .certificate = certificate,
                      .attack = layer.worst(packed, pass, attack),
                      .activations = layer.worst(packed, pass, activations)});
    };
    add(Pass::kForward, info.certificate, attack_rows(of_dropped.left, of_kept.left), inputs.x);
    add(Pass::kBackwardData, info.certificate_backward_data, attack_rows(of_dropped.right, of_kept.right), inputs.dz);
  }
  return rows;
}

std::string to_table(const std::vector<CertificateRow>& rows) {
  std::string text =
      "error: the worst |y^ - y|_2 / |x|_2 found, y = x + x D in fp64 (backward_data: dx of dz); attack: on rows made "
      "to\n"
      "break the certificate; activations: on the model's own; SGEMM: with W, its worst on the same rows.\n"
      "tightness: the worst error found / certificate.\n\n"
      "layer  pass           format  certificate    attack     SGEMM  activations     SGEMM  tightness\n";
  char line[160];
  std::vector<idelta_format> formats;
  for (const CertificateRow& row : rows) {
    std::snprintf(line, sizeof line, "%5d  %-13s  %-6s  %11.2e  %8.2e  %8.2e  %11.2e  %8.2e  %9.4f%s\n", row.layer,
                  pass_name(row.pass), idelta_format_name(row.format), row.certificate, row.attack.ours,
                  row.attack.sgemm, row.activations.ours, row.activations.sgemm, row.tightness(),
                  row.tightness() <= 1.0 ? "" : "  BROKEN");
    text += line;
    if (std::find(formats.begin(), formats.end(), row.format) == formats.end()) formats.push_back(row.format);
  }
  for (const idelta_format format : formats) {
    double least = 1.0;
    int count = 0, better = 0;
    for (const CertificateRow& row : rows) {
      if (row.format != format) continue;
      least = std::min(least, row.tightness());
      ++count;
      if (row.activations.ours < row.activations.sgemm) ++better;
    }
    std::snprintf(line, sizeof line, "%s: tightness at least %.4f; more accurate than SGEMM on %d of %d activations\n",
                  idelta_format_name(format), least, better, count);
    text += line;
  }
  return text;
}

}  // namespace idelta::bench
