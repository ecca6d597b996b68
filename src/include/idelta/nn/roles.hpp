// What a layer is for: what the network loses without it, what a linear classifier can read from its output, and a role
// that follows from both by one stated rule.
#ifndef IDELTA_NN_ROLES_HPP
#define IDELTA_NN_ROLES_HPP

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "idelta/nn/data.hpp"
#include "idelta/nn/decomposition.hpp"
#include "idelta/nn/network.hpp"

namespace idelta::nn {

// The network without one layer: D^l = 0 and b^l = 0, so that the layer is y = act(a x), and everything after it works
// on what is left. Changes are the lesioned network's value less the whole network's: a layer that helps has negative
// ones. Logits are class dimensions of h^L; "centred" is less the mean over the classes, which softmax does not see.
struct Lesion {
  double accuracy = 0;              // of the lesioned network's last layer
  double accuracy_change = 0;       // against the whole network
  double logit_change = 0;          // mean change of the true class's logit
  double centred_logit_change = 0;  // the same of the centred logit
  double direct_contribution = 0;   // mean step h^l - h^{l-1} of the true class's dimension, nothing lesioned
  double centred_contribution = 0;  // the same of the centred dimension
  // Images that only the lesioned network or only the whole one gets right: accuracy_change is their difference over
  // the count, and sqrt(gained + lost) / count its standard error.
  int64_t gained = 0, lost = 0;
  int64_t count = 0;  // images
};

// One lesion a layer, on all images of the set, `batch` at a time (which changes no bit). Costs about L / 2 forward
// passes of the network, so a deep network wants head(data, 2000), and holds three times batch x n numbers. Throws
// NotFinite as evaluate does.
std::vector<Lesion> lesions(const Network& network, const Dataset& data, int64_t batch = 512,
                            const PartDone& progress = {});

// How linear probes are fitted.
struct ProbeOptions {
  // Of the ridge penalty: lambda = regularisation x the mean eigenvalue of the features' scatter matrix (its trace /
  // n). Nothing hinges on it: on Fashion-MNIST (10 layers, 10,000 training images, two seeds) no layer's accuracy moves
  // by more than 0.4 points between 1e-3 and 1e-1.
  double regularisation = 1e-2;
  int64_t batch = 512;  // images at a time
};

// How well the class can be read from one layer.
struct ProbeReport {
  double accuracy = 0;  // of the probe on the test set: information that is present
  double readout = 0;   // of argmax over the class dimensions of the same h^l: class likelihood that is written
  // Test images that are right here and were wrong one layer before, and the other way round; 0 for the input.
  int64_t probe_gained = 0, probe_lost = 0;
  int64_t readout_gained = 0, readout_lost = 0;
};

struct Probes {
  int64_t train_count = 0, test_count = 0;
  double regularisation = 0;        // as given
  ProbeReport input;                // h^0
  std::vector<ProbeReport> layers;  // h^1 .. h^L
};

// Ridge regression of one-hot labels onto each layer's features h^l (all n of them, centred), in closed form from their
// Gram matrix over the whole of `train`: W = (S + lambda I)^-1 S_y with S the scatter matrix and S_y the centred
// products with the labels (Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 3.4.1 and 4.2). A test
// image belongs to the class of the largest output. `train` is what it is fitted on: head(training split, kProbeImages)
// unless there is a reason. Nothing depends on the batch or on the context's threads. LAPACK's Cholesky factorisation
// runs on one thread where OpenMP is found; a BLAS with threads of its own may change the last bits of W.
inline constexpr int64_t kProbeImages = 10'000;
Probes probe(const Network& network, const Dataset& train, const Dataset& test, const ProbeOptions& options = {},
             const PartDone& progress = {});

// What roles are told from, of one trained network: plain numbers, so that they may also come from a file of a study.
struct LayerEvidence {
  double readout = 0;        // accuracy of the class dimensions
  double readout_error = 0;  // standard error of this layer's rise in it
  double probe = 0;          // accuracy of the linear probe
  double probe_error = 0;    // standard error of this layer's rise in it
  double kl_to_final = 0;    // mean KL(likelihood of h^L || likelihood of h^l), nats
  double lesion_change = 0;  // change of accuracy without the layer
  double lesion_error = 0;   // its standard error
  double lesion_logit = 0;   // centred_logit_change
  double direct_logit = 0;   // centred_contribution
};
struct Evidence {
  double input_readout = 0, input_probe = 0;
  std::vector<LayerEvidence> layers;
};

// Throws unless all three are of networks with as many layers.
Evidence evidence(const Evaluation& evaluation, const Probes& probes, std::span<const Lesion> lesions);

enum class Role { kExtracts, kMixed, kClassifies, kCannotTell };
const char* role_name(Role role);  // "extracts", "mixed", "classifies", "cannot tell"

// One layer's role; rises are against the layer before and means over the seeds.
struct RoleReport {
  int64_t layer = 0;  // 1 .. L
  Role role = Role::kCannotTell;
  double probe_rise = 0, readout_rise = 0;
  double probe_share = 0, readout_share = 0;  // of the sum of all layers that rise
  std::vector<Role> by_seed;                  // what each seed alone says
  std::string sentence;                       // "Layer 3 mainly extracts: ..."
};

// The rule that roles() follows, in a few English sentences, with its thresholds.
std::string role_rule();

// A role a layer, from one or more seeds of the same settings. With several, a role is stated only where all agree.
// Throws if there is no seed or their layers differ.
std::vector<RoleReport> roles(std::span<const Evidence> seeds);

// One sentence for each run of layers that have the same role: "Layers 1 to 4 mainly extract: ...".
std::vector<std::string> role_sentences(std::span<const RoleReport> layers);

}  // namespace idelta::nn

#endif  // IDELTA_NN_ROLES_HPP
