// Which ranks a network's layers are multiplied with, and the proofs of these.
//
// Every layer is factorised once, and a form of rank r is the first r columns of U and rows of V. What is chosen is
// measured against D; while candidates are compared, estimates stand in for that, which no label depends on.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "check_data.h"
#include "choose_forms.h"
#include "error.h"
#include "hash.h"
#include "idelta/nn.hpp"
#include "layer_factors.h"

namespace idelta::nn {
namespace {

// Candidates are singular values as shares of the median ||D||_2 of the hidden layers, which carries over to networks
// of other depth and training: 0.06, and 20 steps of 2^(1/6) down to 0.006. A trained network of 10 layers takes 9 % of
// the dense network's multiplications with the first and 53 % with the last; what is dearer saves little.
constexpr double kCoarsest = 0.06;
constexpr int kCandidates = 21;

// "0.012": two digits, so that the name of a form, given as --sigma, gives the same ranks.
std::string two_digits(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 2);
  return std::string(text, end);
}

std::string shortest(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end);
}

double parsed(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// As it stands in the name of candidate i.
std::string candidate_sigma(double norm, int i) { return two_digits(norm * kCoarsest * std::pow(2.0, -i / 6.0)); }

void check(const Network& network, const CompressOptions& options) {
  if (!network.has_dense()) fail("compress: the network has dropped D; give the dense one");
  if ((options.rank != 0) + (options.sigma != 0) + (options.tolerance != 0) > 1) {
    fail("compress: give one of rank, sigma and tolerance, or none");
  }
  if (options.rank < 0) fail("compress: rank is ", options.rank, "; give 1 or more");
  for (const auto& [name, value] : {std::pair("sigma", options.sigma), std::pair("tolerance", options.tolerance)}) {
    if (!(value >= 0) || !std::isfinite(value)) fail("compress: ", name, " is ", value, "; give a positive number");
  }
}

struct Work {
  const Network& network;
  const CompressOptions& options;
  const std::function<void(int64_t, int64_t)>& progress;
  int64_t steps = 0, done = 0;
  std::vector<LayerFactors> factors = {};

  bool chooses() const { return options.rank == 0 && options.sigma == 0 && options.tolerance == 0; }
  void step() {
    ++done;
    if (progress) progress(done, steps);
  }
};

// What libidelta refuses is said of the layer that it is about.
template <class Make>
auto in_layer(int64_t layer, const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& error) {
    throw Error(error.status(), sentence("compress: layer ", layer + 1, ": ", error.what()));
  }
}

// The factors of a layer, and its rank in the one form that the options ask for. Under a tolerance that no worthwhile
// rank keeps it is D itself, which may not keep it either.
std::pair<LayerFactors, int64_t> factorise(const Network& network, const std::vector<float>& D,
                                           const CompressOptions& options) {
  const int64_t n = network.n(), most = largest_worthwhile_rank(n);
  if (options.tolerance > 0) {
    if (auto factors = factors_within(network, D, options.tolerance)) {
      const int64_t rank = factors->rank;
      return {std::move(*factors), rank};
    }
    return {LayerFactors(), kDense};
  }
  if (options.sigma > 0) {
    LayerFactors factors = factors_above(network, D, options.sigma, leading_factors(network, D));
    const int64_t rank = rank_above(factors, n, options.sigma);
    return {std::move(factors), rank};
  }
  LayerFactors factors = factors_of_rank(network, D, std::min(options.rank, most + 1));
  const int64_t rank = factors.rank > most ? kDense : factors.rank;
  return {std::move(factors), rank};
}

// Names every layer whose D itself errs by more than the tolerance, and the least that all can keep.
void check_tolerance(double tolerance, const Form& form, const std::vector<LayerFactors>& factors) {
  std::string layers;
  double least = 0;
  for (size_t l = 0; l < factors.size(); ++l) {
    const double dense = factors[l].bounds.dense_error;
    if (form.ranks[l] != kDense || dense <= tolerance) continue;
    layers += (layers.empty() ? "" : ", ") + std::to_string(l + 1);
    least = std::max(least, dense);
  }
  if (layers.empty()) return;
  throw Error(IDELTA_TOLERANCE_NOT_MET, sentence("compress: tolerance is ", shortest(tolerance),
                                                 ", but the certificate of D itself in F32 is "
                                                 "larger in layers ",
                                                 layers, "; give no less than ", shortest(least)));
}

// Factorises all layers for the form that the options ask for.
Form asked(Work& work) {
  Form form;
  for (int64_t l = 0; l < work.network.layers(); ++l) {
    const std::vector<float> D = work.network.delta(l);
    in_layer(l, [&] {
      auto [factors, rank] = factorise(work.network, D, work.options);
      factors.bounds = bounds_of(work.network, D);
      work.factors.push_back(std::move(factors));
      form.ranks.push_back(rank);
    });
    work.step();
  }
  if (work.options.tolerance > 0) check_tolerance(work.options.tolerance, form, work.factors);
  if (work.options.rank > 0) form.name = "rank " + std::to_string(work.options.rank);
  if (work.options.sigma > 0) form.name = "sigma " + shortest(work.options.sigma);
  if (work.options.tolerance > 0) form.name = "tolerance " + shortest(work.options.tolerance);
  return form;
}

// The norm that candidates are shares of. An untrained network has none: any sigma gives the same ranks, and 1 names
// that can be asked for.
double median_norm(const std::vector<double>& norms) {
  const size_t hidden = std::max<size_t>(1, norms.size() - 1);  // the last layer does not resemble the others
  std::vector<double> sorted(norms.begin(), norms.begin() + static_cast<std::ptrdiff_t>(hidden));
  std::sort(sorted.begin(), sorted.end());
  if (const double median = sorted[hidden / 2]; median > 0) return median;
  const double largest = *std::max_element(norms.begin(), norms.end());
  return largest > 0 ? largest : 1.0;
}

// Factorises all layers for every candidate; returns the median norm.
double factorise_for_candidates(Work& work) {
  const Network& network = work.network;
  std::vector<LayerFactors> leading;
  std::vector<double> norms;
  for (int64_t l = 0; l < network.layers(); ++l) {
    leading.push_back(in_layer(l, [&] { return leading_factors(network, network.delta(l)); }));
    norms.push_back(leading.back().rank > 0 ? leading.back().sigma.front() : 0.0);
  }
  const double norm = median_norm(norms), finest = parsed(candidate_sigma(norm, kCandidates - 1));
  for (int64_t l = 0; l < network.layers(); ++l) {
    const std::vector<float> D = network.delta(l);
    LayerFactors& first = leading[static_cast<size_t>(l)];
    in_layer(l, [&] {
      work.factors.push_back(factors_above(network, D, finest, std::move(first)));
      work.factors.back().bounds = bounds_of(network, D);
    });
    work.step();
  }
  return norm;
}

// The layers of `forms`, with factors no wider than these need, and no proofs yet.
std::vector<Forms::Layer> layers_of(const Work& work, const std::vector<Form>& forms) {
  const int64_t n = work.network.n();
  std::vector<Forms::Layer> layers;
  for (size_t l = 0; l < work.factors.size(); ++l) {
    const LayerFactors& factors = work.factors[l];
    Forms::Layer& layer = layers.emplace_back();
    for (const Form& form : forms) layer.rank = std::max(layer.rank, form.ranks[l]);
    for (int64_t row = 0; row < n; ++row) {
      const float* const first = factors.U.data() + row * factors.rank;
      layer.U.insert(layer.U.end(), first, first + layer.rank);
    }
    layer.V.assign(factors.V.begin(), factors.V.begin() + layer.rank * n);
    layer.bounds = factors.bounds;
    const LowRankProof none = IDELTA_LOW_RANK_PROOF_INIT;
    layer.proofs.assign(forms.size(), none);
  }
  return layers;
}

std::shared_ptr<const Forms> made(const Work& work, std::vector<Form> forms, std::vector<Forms::Layer> layers) {
  const Network& network = work.network;
  return std::make_shared<const Forms>(network.context(), network.n(), network.options().identity_scale,
                                       std::move(forms), std::move(layers));
}

std::shared_ptr<const Forms> proved(Work& work, std::vector<Form> forms) {
  const Network& network = work.network;
  std::vector<Forms::Layer> layers = layers_of(work, forms);
  for (int64_t l = 0; l < network.layers(); ++l) {
    const std::vector<float> D = network.delta(l);
    const auto index = static_cast<size_t>(l);
    Forms::Layer& layer = layers[index];
    layer.delta_hash = hash_of(D);
    layer.bias_hash = hash_of(network.bias(l));
    for (size_t f = 0; f < forms.size(); ++f) {
      const int64_t rank = forms[f].ranks[index];
      const bool again = f > 0 && forms[f - 1].ranks[index] == rank;
      if (rank != kDense) {
        layer.proofs[f] =
            again ? layer.proofs[f - 1] : in_layer(l, [&] { return prove(network, D, work.factors[index], rank); });
      }
    }
    work.step();
  }
  return made(work, std::move(forms), std::move(layers));
}

// Of a prefix, by what is proved of all columns and by singular values: D - U_r V_r is the sum of what all columns drop
// and of the columns that the prefix leaves out, and the two are orthogonal, nearly.
LowRankProof estimated(const LowRankProof& all, const LayerFactors& factors, int64_t rank) {
  LowRankProof proof = all;
  if (rank < factors.rank) proof.dropped = std::max(all.dropped, factors.sigma[static_cast<size_t>(rank)]);
  proof.overlap = all.overlap + all.departure * proof.dropped;
  return proof;
}

Form form_above(const Work& work, double sigma, const std::string& name) {
  Form form{"sigma " + name, {}};
  for (const LayerFactors& factors : work.factors) {
    form.ranks.push_back(rank_above(factors, work.network.n(), sigma));
  }
  return form;
}

// All candidates, coarsest first; those that need not be tried have their verdict already.
std::vector<Form> candidates_of(const Work& work, double norm, std::vector<Considered>& considered) {
  std::vector<Form> forms;
  for (int i = 0; i < kCandidates; ++i) {
    const std::string sigma = candidate_sigma(norm, i);
    Form form = form_above(work, parsed(sigma), sigma);
    std::string verdict;
    if (!forms.empty() && form.ranks == forms.back().ranks) {
      verdict = "lost: the same ranks as " + forms.back().name;
    } else if (!forms.empty() && form.multiplications(work.network.n()) >= 1) {
      verdict = "lost: no fewer multiplications than the dense network";
    }
    considered.push_back({form.name, form.multiplications(work.network.n()), -1, verdict});
    if (verdict.empty()) forms.push_back(std::move(form));
  }
  return forms;
}

// A network of the same parameters in F32, to try forms on.
Network copy_of(const Network& network) {
  return Network(network.context(), network.options(), [&](int64_t l) { return network.parameters(l); });
}

std::vector<Candidate> tried(Work& work, const std::vector<Form>& forms, const Dataset& sample) {
  std::vector<LowRankProof> all;
  for (int64_t l = 0; l < work.network.layers(); ++l) {
    const LayerFactors& factors = work.factors[static_cast<size_t>(l)];
    all.push_back(in_layer(l, [&] { return prove(work.network, work.network.delta(l), factors, factors.rank); }));
  }
  Network network = copy_of(work.network);
  std::vector<Candidate> candidates;
  for (const Form& form : forms) {
    std::vector<Forms::Layer> layers = layers_of(work, {form});
    for (size_t l = 0; l < layers.size(); ++l) {
      if (form.ranks[l] != kDense) layers[l].proofs[0] = estimated(all[l], work.factors[l], form.ranks[l]);
    }
    network.set_forms(made(work, {form}, std::move(layers)));
    const Predictions predictions = predict(network, sample, {.guarantee = true});
    Candidate& candidate = candidates.emplace_back();
    candidate.cost = form.multiplications(network.n());
    for (const uint8_t f : predictions.settled_by) candidate.settles.push_back(f == 0);
    work.step();
  }
  return candidates;
}

std::string percent(double share) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, 100 * share, std::chars_format::fixed, 1);
  return std::string(text, end) + " %";
}

// `best` is the least cost with the form, `taken` that of the choice, which does not have it.
std::string why_lost(double best, double taken) {
  if (!std::isfinite(best)) return "lost: settles too few to go first, and none goes before it";
  if (best <= taken) return "lost: would save less than a hundredth of the multiplications";
  return "lost: labels take " + percent(best) + " of the multiplications with it, " + percent(taken) + " without";
}

// `cost` is that of the choice, `other` the least of one without the form.
std::string why_won(const char* place, double cost, double other) {
  const std::string text = std::string(place) + ": labels take " + percent(cost) + " of the multiplications";
  return std::isfinite(other) ? text + ", " + percent(other) + " at best without it" : text;
}

// What the sample says of the candidates, and the forms of the best choice.
std::vector<Form> chosen(Work& work, const Dataset& sample, std::vector<Considered>& considered) {
  const std::vector<Form> forms = candidates_of(work, factorise_for_candidates(work), considered);
  work.steps += static_cast<int64_t>(forms.size()) - kCandidates;
  const std::vector<Candidate> candidates = tried(work, forms, sample);
  const Choice choice = choose_forms(candidates);
  std::vector<std::string> verdicts;
  for (const double best : choice.best) verdicts.push_back(why_lost(best, choice.cost));
  constexpr const char* kPlaces[] = {"first form", "second form", "third form", "fourth form"};
  std::vector<Form> best;
  for (size_t place = 0; place < choice.forms.size(); ++place) {
    const size_t f = choice.forms[place];
    verdicts[f] = why_won(kPlaces[place], choice.cost, choice.other[f]);
    best.push_back(forms[choice.forms[place]]);
  }
  for (size_t f = 0; f < forms.size(); ++f) {
    const auto entry = std::find_if(considered.begin(), considered.end(),
                                    [&](const Considered& c) { return c.name == forms[f].name && c.verdict.empty(); });
    entry->settled = candidates[f].settled();
    entry->verdict = verdicts[f];
  }
  return best;
}

}  // namespace

std::shared_ptr<const Forms> compress(const Network& network, const CompressOptions& options, const Dataset& sample,
                                      std::vector<Considered>* considered,
                                      const std::function<void(int64_t, int64_t)>& progress) {
  check(network, options);
  Work work{network, options, progress};
  if (work.chooses()) check_data("compress", sample, network.options());
  work.steps = 2 * network.layers() + (work.chooses() ? kCandidates : 0);
  std::vector<Considered> all;
  std::vector<Form> forms;
  if (work.chooses()) {
    forms = chosen(work, sample, all);
  } else {
    forms.push_back(asked(work));
    all.push_back({forms[0].name, forms[0].multiplications(network.n()), -1, "as asked"});
  }
  if (considered) *considered = std::move(all);
  return proved(work, std::move(forms));
}

}  // namespace idelta::nn
