// Which ranks a network's layers are multiplied with, and the proofs of these.
//
// Every layer is factorised once, and a form of rank r is the first r columns of U and rows of V. What is chosen is
// measured against D; while candidates are compared, estimates stand in for that, which no label depends on.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "check_data.h"
#include "compress_work.h"
#include "hash.h"

namespace idelta::nn {
namespace {

std::string shortest(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end);
}

void check(const Network& network, const CompressOptions& options) {
  if (!network.has_dense()) fail("compress: the network has dropped D; give the dense one");
  if ((options.rank != 0) + (options.sigma != 0) + (options.tolerance != 0) > 1) {
    fail("compress: give one of rank, sigma and tolerance, or none");
  }
  if (options.tail != IDELTA_TAIL_NONE && options.tail != IDELTA_TAIL_INT8) {
    fail("compress: tail is ", int{options.tail}, "; give 0 for none or 1 for int8");
  }
  if (options.rank < 0) fail("compress: rank is ", options.rank, "; give 1 or more");
  for (const auto& [name, value] : {std::pair("sigma", options.sigma), std::pair("tolerance", options.tolerance)}) {
    if (!(value >= 0) || !std::isfinite(value)) fail("compress: ", name, " is ", value, "; give a positive number");
  }
}

// What a layer multiplies in the one form that the options ask for.
struct Asked {
  LayerFactors factors;
  int64_t rank = kDense;
  std::optional<Forms::Tail> tail;
};

// Under a tolerance that no worthwhile rank keeps it is D itself, which may not keep it either.
Asked within_tolerance(const Network& network, const std::vector<float>& D, const CompressOptions& options) {
  Asked asked;
  if (const auto found = factors_within(network, D, options.tolerance, options.tail, asked.tail)) {
    asked.factors = *found;
    asked.rank = found->rank;
  }
  return asked;
}

Asked with_columns(const Network& network, const std::vector<float>& D, const CompressOptions& options) {
  const int64_t n = network.n(), most = largest_worthwhile_rank(n);
  if (options.sigma > 0) {
    LayerFactors factors = factors_above(network, D, options.sigma, leading_factors(network, D));
    const int64_t rank = rank_above(factors, n, options.sigma);
    return {std::move(factors), rank, {}};
  }
  LayerFactors factors =
      options.rank > 0 ? factors_of_rank(network, D, std::min(options.rank, most + 1)) : no_factors(D);
  const int64_t rank = factors.rank > most ? kDense : factors.rank;
  return {std::move(factors), rank, {}};
}

Asked asked_of(const Network& network, const std::vector<float>& D, const CompressOptions& options) {
  if (options.tolerance > 0) return within_tolerance(network, D, options);
  Asked asked = with_columns(network, D, options);
  const bool all = asked.factors.complete && asked.rank == asked.factors.rank;
  if (options.tail != IDELTA_TAIL_NONE && asked.rank != kDense && !all) {
    asked.tail = tail_of(network, D, asked.factors, asked.rank);
  }
  return asked;
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

std::string name_of(const CompressOptions& options) {
  std::string name;
  if (options.rank > 0) name = "rank " + std::to_string(options.rank);
  if (options.sigma > 0) name = "sigma " + shortest(options.sigma);
  if (options.tolerance > 0) name = "tolerance " + shortest(options.tolerance);
  if (options.tail == IDELTA_TAIL_NONE) return name;
  return name + (name.empty() ? "" : " + ") + idelta_tail_name(options.tail);
}

// Factorises all layers for the form that the options ask for.
Form asked(Work& work) {
  Form form{name_of(work.options), {}, {}};
  for (int64_t l = 0; l < work.network.layers(); ++l) {
    const std::vector<float> D = work.network.delta(l);
    in_layer(l, [&] {
      Asked layer = asked_of(work.network, D, work.options);
      layer.factors.bounds = bounds_of(work.network, D);
      work.factors.push_back(std::move(layer.factors));
      form.ranks.push_back(layer.rank);
      form.tails.push_back(layer.tail ? work.options.tail : IDELTA_TAIL_NONE);
      work.tails.push_back(std::move(layer.tail));
    });
    work.step();
  }
  if (work.options.tolerance > 0) check_tolerance(work.options.tolerance, form, work.factors);
  return form;
}

}  // namespace

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
    if (std::any_of(forms.begin(), forms.end(), [&](const Form& form) { return form.has_tail(l); })) {
      layer.tail = work.tails[l];
    }
  }
  return layers;
}

std::shared_ptr<const Forms> made(const Work& work, std::vector<Form> forms, std::vector<Forms::Layer> layers) {
  const Network& network = work.network;
  return std::make_shared<const Forms>(network.context(), network.n(), network.options().identity_scale,
                                       std::move(forms), std::move(layers));
}

Considered considered_of(const Work& work, const Form& form, const std::string& verdict) {
  const int64_t n = work.network.n();
  return {form.name, form.multiplications(n), expected_time(work.network.context(), form, n), -1, verdict};
}

namespace {

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
      const bool tail = forms[f].has_tail(index);
      const bool again = f > 0 && forms[f - 1].ranks[index] == rank && forms[f - 1].has_tail(index) == tail;
      if (rank == kDense) continue;
      layer.proofs[f] = again ? layer.proofs[f - 1] : in_layer(l, [&] {
        const LayerFactors& factors = work.factors[index];
        return tail ? prove(network, D, factors, *layer.tail) : prove(network, D, factors, rank);
      });
    }
    work.step();
  }
  return made(work, std::move(forms), std::move(layers));
}

}  // namespace

std::shared_ptr<const Forms> compress(const Network& network, const CompressOptions& options, const Dataset& sample,
                                      std::vector<Considered>* considered,
                                      const std::function<void(int64_t, int64_t)>& progress) {
  check(network, options);
  Work work{network, options, progress};
  if (work.chooses()) check_data("compress", sample, network.options());
  work.steps = 2 * network.layers();
  std::vector<Considered> all;
  std::vector<Form> forms;
  if (work.chooses()) {
    forms = forms_by_sample(work, sample, all);
  } else {
    forms.push_back(asked(work));
    all.push_back(considered_of(work, forms[0], "as asked"));
  }
  if (considered) *considered = std::move(all);
  return proved(work, std::move(forms));
}

}  // namespace idelta::nn
