// How the classes lie in the features of every layer.
#include <lapacke.h>

#include <cmath>
#include <limits>

#include "idelta/nn.hpp"
#include "lapack_memory.h"
#include "moments.h"
#include "norms.h"
#include "one_thread.h"
#include "passes.h"

namespace idelta::nn {
namespace {

// Of a symmetric matrix, size x size, which is overwritten, with its eigenvectors as rows if wanted; rising.
std::vector<double> eigenvalues(std::vector<double>& matrix, int64_t size, bool vectors) {
  std::vector<double> values(static_cast<size_t>(size));
  const auto n = static_cast<lapack_int>(size);
  const OneThread serial;
  const lapack_int info =
      with_memory(LAPACKE_dsyevd(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', 'U', n, matrix.data(), n, values.data()));
  if (info != 0) fail("feature_reports: LAPACK's dsyevd of a matrix of ", size, " x ", size, " returned ", info);
  return values;
}

// Means of the classes and of all, and the matrices that they define.
class Scatter {
 public:
  Scatter(const LayerMoments& moments, int64_t n)
      : moments_(moments),
        n_(n),
        classes_(static_cast<int64_t>(moments.counts.size())),
        count_(moments.count()),
        mean_(moments.mean()) {}

  // Of S_w + S_b = Gram / N - mean^T mean.
  double effective_rank() const {
    std::vector<double> covariance(moments_.gram);
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j < n_; ++j) {
        double& entry = covariance[i * n_ + j];
        entry = entry / count_ - mean_[i] * mean_[j];
      }
    }
    return effective_count(eigenvalues(covariance, n_, false));
  }

  // S_b = B^T B with rows B_c = sqrt(N_c / N) (mu_c - mu). Of B B^T = sum_k lambda_k q_k^T q_k (C x C) follows
  // S_b^+ = sum_k (q_k B)^T (q_k B) / lambda_k^2, and so Tr(S_w S_b^+) = sum_k (q_k B S_w B^T q_k^T) / lambda_k^2.
  double separation() const {
    const std::vector<double> B = between(), within = within_of(B);
    std::vector<double> Q = products(B, B);
    const std::vector<double> lambda = eigenvalues(Q, classes_, true);
    const double least = static_cast<double>(n_) * std::numeric_limits<double>::epsilon() * lambda.back();
    double trace = 0;
    for (int64_t k = 0; k < classes_; ++k) {
      if (!(lambda[k] > least)) continue;
      const double* const q = Q.data() + k * classes_;
      double scatter = 0;
      for (int64_t c = 0; c < classes_; ++c) {
        for (int64_t d = 0; d < classes_; ++d) scatter += q[c] * within[c * classes_ + d] * q[d];
      }
      trace += scatter / (lambda[k] * lambda[k]);
    }
    return trace;
  }

 private:
  std::vector<double> between() const {
    std::vector<double> B(moments_.class_sums.size());
    for (int64_t c = 0; c < classes_; ++c) {
      const auto images = static_cast<double>(moments_.counts[c]);
      if (images == 0) continue;
      for (int64_t j = 0; j < n_; ++j) {
        B[c * n_ + j] = std::sqrt(images / count_) * (moments_.class_sums[c * n_ + j] / images - mean_[j]);
      }
    }
    return B;
  }

  // B S_w B^T (C x C), S_w = Gram / N - sum_c N_c / N mu_c^T mu_c.
  std::vector<double> within_of(const std::vector<double>& B) const {
    std::vector<double> scatter(B.size());  // B Gram / N
    for (int64_t c = 0; c < classes_; ++c) {
      for (int64_t i = 0; i < n_; ++i) {
        const double share = B[c * n_ + i] / count_;
        for (int64_t j = 0; j < n_; ++j) scatter[c * n_ + j] += share * moments_.gram[i * n_ + j];
      }
    }
    std::vector<double> within = products(scatter, B);
    const std::vector<double> on_sums = products(B, moments_.class_sums);
    for (int64_t c = 0; c < classes_; ++c) {
      for (int64_t d = 0; d < classes_; ++d) {
        for (int64_t k = 0; k < classes_; ++k) {
          if (moments_.counts[k] == 0) continue;
          within[c * classes_ + d] -= on_sums[c * classes_ + k] * on_sums[d * classes_ + k] /
                                      (static_cast<double>(moments_.counts[k]) * count_);
        }
      }
    }
    return within;
  }

  // A B^T of C x n matrices.
  std::vector<double> products(const std::vector<double>& A, const std::vector<double>& B) const {
    std::vector<double> found(static_cast<size_t>(classes_ * classes_));
    for (int64_t c = 0; c < classes_; ++c) {
      for (int64_t d = 0; d < classes_; ++d) {
        for (int64_t j = 0; j < n_; ++j) found[c * classes_ + d] += A[c * n_ + j] * B[d * n_ + j];
      }
    }
    return found;
  }

  const LayerMoments& moments_;
  int64_t n_, classes_;
  double count_;
  std::vector<double> mean_;
};

// The classes' means in one layer.
class Centres {
 public:
  Centres(const LayerMoments& moments, int64_t n) : n_(n), squares_(moments.counts.size(), HUGE_VAL) {
    centres_.resize(moments.class_sums.size());
    for (size_t c = 0; c < squares_.size(); ++c) {
      if (moments.counts[c] == 0) continue;
      squares_[c] = 0;
      for (size_t j = c * n_; j < (c + 1) * n_; ++j) {
        const double centre = moments.class_sums[j] / static_cast<double>(moments.counts[c]);
        centres_[j] = static_cast<float>(centre);
        squares_[c] += static_cast<double>(centres_[j]) * centres_[j];
      }
    }
  }

  // ||h - mu||^2 = ||h||^2 + ||mu||^2 - 2 <h, mu>, of which the first is the same for all.
  size_t nearest(const float* h) const {
    size_t best = 0;
    double least = HUGE_VAL;
    for (size_t c = 0; c < squares_.size(); ++c) {
      const double distance = squares_[c] - 2 * dot(h, centres_.data() + c * n_, n_);
      if (distance < least) least = distance, best = c;
    }
    return best;
  }

 private:
  // In lanes of a fixed order, for vectors.
  static double dot(const float* x, const float* y, int64_t n) {
    constexpr int64_t kLanes = 8;
    double lanes[kLanes] = {};
    const int64_t whole = n - n % kLanes;
    for (int64_t j = 0; j < whole; j += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] += static_cast<double>(x[j + lane]) * y[j + lane];
      }
    }
    for (int64_t j = whole; j < n; ++j) lanes[j - whole] += static_cast<double>(x[j]) * y[j];
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    return sum;
  }

  int64_t n_;
  std::vector<double> squares_;  // infinite without a centre
  std::vector<float> centres_;   // C x n
};

}  // namespace

std::vector<FeatureReport> feature_reports(const Network& network, const Dataset& data, const Dataset& sample,
                                           int64_t batch, const PartDone& progress) {
  const int64_t n = network.n();
  std::vector<FeatureReport> reports(static_cast<size_t>(network.layers()) + 1);
  each_layers_moments("feature_reports", network, data, batch, Moments::kClassSumsAndGram,
                      [&](int64_t layer, const LayerMoments& moments) {
                        const Scatter scatter(moments, n);
                        reports[layer].effective_rank = scatter.effective_rank();
                        reports[layer].separation = scatter.separation();
                        if (progress) progress(layer + 1, network.layers() + 1);
                      });
  std::vector<Centres> centres;
  each_layers_moments("feature_reports", network, sample, batch, Moments::kClassSums,
                      [&](int64_t, const LayerMoments& moments) { centres.emplace_back(moments, n); });
  each_layer("feature_reports", network, data, batch, false, [&](const Chunk& chunk, const LayerChunk& layer) {
    FeatureReport& report = reports[layer.layer];
    for (int64_t i = 0; i < chunk.rows; ++i) {
      report.nearest_centre_accuracy += centres[layer.layer].nearest(layer.above + i * n) == chunk.labels[i];
    }
  });
  for (FeatureReport& report : reports) report.nearest_centre_accuracy /= static_cast<double>(data.count);
  return reports;
}

}  // namespace idelta::nn
