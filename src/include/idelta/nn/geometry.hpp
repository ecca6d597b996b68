// How near the identity the layers of a network are, how their singular vectors lie to each other, and how the classes
// lie in the features. n = P + C wide, L layers, W = a I + D.
//
// All calls work on networks that have dropped D: it is then what their forms hold of it. Results have the same bits
// for any `batch` and any number of threads.
#ifndef IDELTA_NN_GEOMETRY_HPP
#define IDELTA_NN_GEOMETRY_HPP

#include <cstdint>
#include <functional>
#include <vector>

#include "idelta/nn/data.hpp"
#include "idelta/nn/network.hpp"

namespace idelta::nn {

// The parameters of one layer.
struct WeightReport {
  double spectral_norm = 0;       // ||D||_2
  double frobenius_ratio = 0;     // ||D||_F / ||I||_F,  ||I||_F = sqrt(n)
  double cosine_to_identity = 0;  // <W, I> / (||W||_F ||I||_F); 0 if W is 0
  // exp(-sum_i q_i log q_i), q_i = sigma_i^2 / sum sigma^2: how many directions D has, were they equal (Roy and
  // Vetterli, "The effective rank", EUSIPCO 2007, of the squares). 0 if D is 0.
  double effective_rank = 0;
  std::vector<float> singular_values;  // of D: n, falling
};

// How singular vectors lie to those of other layers (Li and Papyan, "Residual alignment", 2023). Of layers i and j:
// ||U_i^T U_j||_F / sqrt(r), r the smaller number of columns: 1 if one space holds the other, 0 if they are orthogonal
// or one of the layers is 0. L x L, symmetric, row-major.
struct Alignment {
  int64_t vectors = 0;        // columns asked for; a layer with fewer singular values above 0 has fewer
  std::vector<double> left;   // of the input side: left singular vectors of D, which is in x out
  std::vector<double> right;  // of the output side
  double random = 0;          // what two random spaces of so many columns have: sqrt(vectors / n)
};

struct WeightGeometry {
  std::vector<WeightReport> layers;
  Alignment alignment;
};

// One singular value decomposition a layer: about a second at n = 794.
WeightGeometry weight_geometry(const Network& network, int64_t vectors = 10, const PartDone& progress = {});

// The features h^l of one layer on a set. S_w and S_b are the covariances within and between the classes, mu_c and mu
// the means of a class and of all, N_c and N the images:
//   S_w = 1/N sum_i (h_i - mu_{c(i)}) (h_i - mu_{c(i)})^T,      S_b = sum_c N_c / N (mu_c - mu) (mu_c - mu)^T
struct FeatureReport {
  double effective_rank = 0;  // of the covariance S_w + S_b, by its eigenvalues; as of D by its squares. 0 if it is 0
  double separation = 0;      // Tr(S_w S_b^+), not divided by C (He and Su, "A law of data separation", 2023)
  double nearest_centre_accuracy = 0;  // of the class whose mean is nearest to h, the lowest of equals
};

// Of h^0 (the input) to h^L: L + 1 reports. All but the centres is of `data`; the centres are the classes' means in
// `sample`, usually of the training set, or `data` itself. A class without images in `sample` has no centre. Passes
// over the set: one over `sample`, and over `data` one and one for each 256 MB of L + 1 matrices of n x n doubles.
std::vector<FeatureReport> feature_reports(const Network& network, const Dataset& data, const Dataset& sample,
                                           int64_t batch = 512, const PartDone& progress = {});

}  // namespace idelta::nn

#endif  // IDELTA_NN_GEOMETRY_HPP
