// Which of many forms a sample of rows wants.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "choose_forms.h"
#include "compress_work.h"

namespace idelta::nn {
namespace {

// Candidates are singular values as shares of the median ||D||_2 of the hidden layers, which carries over to networks
// of other depth and training: 0.06, and 20 steps of 2^(1/6) down to 0.006. A trained network of 10 layers takes 9 % of
// the dense network's multiplications with the first and 53 % with the last; what is dearer saves little.
constexpr double kCoarsest = 0.06;
constexpr int kCandidates = 21;

// And with tails in the first tenth, fifth and two fifths of the layers, for every third of these; and in all layers.
// What an early layer errs by grows in all that follow, and its ranks are the largest. Ranks of 16 and 64 in place of
// 32 certify 88 and 97 % with tails in all layers, not 94 %; the labels of the demo take as long or longer.
constexpr int kSigmasATail = 3;
constexpr double kWithTails[] = {0.1, 0.2, 0.4};
constexpr int64_t kTailRank = 32;

// "0.012": two digits, so that the name of a form, given as --sigma, gives the same ranks.
std::string two_digits(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 2);
  return std::string(text, end);
}

double parsed(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// As it stands in the name of candidate i.
std::string candidate_sigma(double norm, int i) { return two_digits(norm * kCoarsest * std::pow(2.0, -i / 6.0)); }

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

// Of a prefix, by what is proved of all columns and by singular values: D - U_r V_r is the sum of what all columns drop
// and of the columns that the prefix leaves out, and the two are orthogonal, nearly.
LowRankProof estimated(const LowRankProof& all, const LayerFactors& factors, int64_t rank) {
  LowRankProof proof = all;
  if (rank < factors.rank) proof.dropped = std::max(all.dropped, factors.sigma[static_cast<size_t>(rank)]);
  proof.overlap = all.overlap + all.departure * proof.dropped;
  return proof;
}

Form form_above(const Work& work, double sigma, const std::string& name) {
  Form form{"sigma " + name, {}, {}};
  for (const LayerFactors& factors : work.factors) {
    form.ranks.push_back(rank_above(factors, work.network.n(), sigma));
  }
  return form;
}

constexpr const char* kSlow = "lost: no faster than the dense network";
bool slow(const Work& work, const Form& form) {
  return expected_time(work.network.context(), form, work.network.n()) >= 1;
}

// Of ranks as singular values choose them, coarsest first; those that need not be tried have their verdict already.
std::vector<Form> by_sigma(const Work& work, double norm, std::vector<Considered>& considered) {
  std::vector<Form> forms;
  for (int i = 0; i < kCandidates; ++i) {
    const std::string sigma = candidate_sigma(norm, i);
    Form form = form_above(work, parsed(sigma), sigma);
    std::string verdict;
    if (!forms.empty() && form.ranks == forms.back().ranks) {
      verdict = "lost: the same ranks as " + forms.back().name;
    } else if (!forms.empty() && slow(work, form)) {
      verdict = kSlow;
    }
    considered.push_back(considered_of(work, form, verdict));
    if (verdict.empty()) forms.push_back(std::move(form));
  }
  return forms;
}

// What the first kTailRank columns of each layer leave, unless they are all of D.
void make_tails(Work& work) {
  for (int64_t l = 0; l < work.network.layers(); ++l) {
    const LayerFactors& factors = work.factors[static_cast<size_t>(l)];
    const int64_t rank = std::min(kTailRank, factors.rank);
    std::optional<Forms::Tail>& tail = work.tails.emplace_back();
    if (factors.complete && rank == factors.rank) continue;
    tail = in_layer(l, [&] { return tail_of(work.network, work.network.delta(l), factors, rank); });
  }
}

// `form` with tails in its first layers, where there is anything for them to hold; null: nowhere.
std::optional<Form> with_tails(const Work& work, Form form, size_t layers, const std::string& name) {
  form.name = name;
  form.tails.assign(form.ranks.size(), IDELTA_TAIL_NONE);
  bool any = false;
  for (size_t l = 0; l < layers; ++l) {
    form.ranks[l] = std::min(kTailRank, work.factors[l].rank);
    if (!work.tails[l]) continue;
    form.tails[l] = IDELTA_TAIL_INT8;
    any = true;
  }
  return any ? std::optional(std::move(form)) : std::nullopt;
}

std::vector<Form> by_tails(const Work& work, double norm) {
  const std::string integers = std::string(" + ") + idelta_tail_name(IDELTA_TAIL_INT8);
  const size_t all = work.factors.size();
  std::vector<Form> forms;
  const auto add = [&](std::optional<Form> form) {
    if (form) forms.push_back(std::move(*form));
  };
  for (int i = 0; i < kCandidates; i += kSigmasATail) {
    const std::string sigma = candidate_sigma(norm, i);
    const Form form = form_above(work, parsed(sigma), sigma);
    size_t before = 0;
    for (const double share : kWithTails) {
      const auto layers = static_cast<size_t>(std::lround(std::ceil(share * static_cast<double>(all))));
      if (layers == before || layers == all) continue;
      before = layers;
      add(with_tails(work, form, layers, form.name + integers + " to layer " + std::to_string(layers)));
    }
  }
  const Form none{"", std::vector<int64_t>(all), {}};
  add(with_tails(work, none, all, "rank " + std::to_string(kTailRank) + integers));
  return forms;
}

// All that are to be tried, the fastest first; `considered` has those that need not be as well.
std::vector<Form> candidates_of(Work& work, double norm, std::vector<Considered>& considered) {
  std::vector<Form> forms = by_sigma(work, norm, considered);
  make_tails(work);
  for (Form& form : by_tails(work, norm)) {
    const bool lost = slow(work, form);
    considered.push_back(considered_of(work, form, lost ? kSlow : ""));
    if (!lost) forms.push_back(std::move(form));
  }
  const auto time = [&](const Form& form) { return expected_time(work.network.context(), form, work.network.n()); };
  std::stable_sort(considered.begin(), considered.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  std::stable_sort(forms.begin(), forms.end(), [&](const Form& a, const Form& b) { return time(a) < time(b); });
  return forms;
}

// Of one layer of a candidate: measured of a tail, which all candidates share.
LowRankProof proof_of(const Work& work, const Form& form, size_t l, const LowRankProof& all,
                      std::optional<LowRankProof>& of_tail) {
  const LayerFactors& factors = work.factors[l];
  if (!form.has_tail(l)) return estimated(all, factors, form.ranks[l]);
  const auto layer = static_cast<int64_t>(l);
  if (!of_tail)
    of_tail = in_layer(layer, [&] { return prove(work.network, work.network.delta(layer), factors, *work.tails[l]); });
  return *of_tail;
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
  std::vector<std::optional<LowRankProof>> of_tails(all.size());
  Network network = copy_of(work.network);
  std::vector<Candidate> candidates;
  for (const Form& form : forms) {
    std::vector<Forms::Layer> layers = layers_of(work, {form});
    for (size_t l = 0; l < layers.size(); ++l) {
      if (form.ranks[l] != kDense) layers[l].proofs[0] = proof_of(work, form, l, all[l], of_tails[l]);
    }
    network.set_forms(made(work, {form}, std::move(layers)));
    const Predictions predictions = predict(network, sample, {.guarantee = true});
    Candidate& candidate = candidates.emplace_back();
    candidate.cost = network.forms()->time(0);
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
  if (best <= taken) return "lost: would save less than a hundredth of the time";
  return "lost: labels take " + percent(best) + " of the dense network's time with it, " + percent(taken) + " without";
}

// `cost` is that of the choice, `other` the least of one without the form.
std::string why_won(const char* place, double cost, double other) {
  const std::string text = std::string(place) + ": labels take " + percent(cost) + " of the dense network's time";
  return std::isfinite(other) ? text + ", " + percent(other) + " at best without it" : text;
}

}  // namespace

std::vector<Form> forms_by_sample(Work& work, const Dataset& sample, std::vector<Considered>& considered) {
  work.steps += kCandidates;
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

}  // namespace idelta::nn
