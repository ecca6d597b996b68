// Cheaper forms of a network: their parts are checked, and every layer of every form is packed from its factors.
#include <algorithm>
#include <cmath>

#include "error.h"
#include "forms_check.h"
#include "hash.h"
#include "idelta/nn.hpp"

namespace idelta::nn {
namespace {

void check_bound(const char* what, double value, size_t layer) {
  if (std::isfinite(value) && value >= 0) return;
  fail("forms: ", what, " of layer ", layer + 1, " is ", value, "; a proved bound is finite and at least 0");
}

void check_form(int64_t n, const Form& form, const std::vector<Forms::Layer>& layers) {
  if (form.ranks.size() != layers.size()) {
    fail("forms: form '", form.name, "' has ranks of ", form.ranks.size(), " layers; give ", layers.size());
  }
  if (!form.tails.empty() && form.tails.size() != layers.size()) {
    fail("forms: form '", form.name, "' has tails of ", form.tails.size(), " layers; give ", layers.size(),
         ", or none");
  }
  for (size_t l = 0; l < layers.size(); ++l) {
    const int64_t rank = form.ranks[l], most = std::min(n, layers[l].rank);
    if (rank != kDense && (rank < 0 || rank > most)) {
      fail("forms: form '", form.name, "' has rank ", rank, " in layer ", l + 1, "; give 0 to ", most,
           ", the columns of U, or dense");
    }
    if (!form.has_tail(l)) continue;
    if (!layers[l].tail) {
      fail("forms: form '", form.name, "' has a tail in layer ", l + 1, ", which has none; give one of rank ", rank);
    }
    if (layers[l].tail->rank != rank) {
      fail("forms: form '", form.name, "' has rank ", rank, " and a tail in layer ", l + 1,
           ", whose tail belongs to rank ", layers[l].tail->rank, "; give that rank, or no tail");
    }
  }
}

bool has_tails(const Form& form) {
  return std::any_of(form.tails.begin(), form.tails.end(), [](idelta_tail tail) { return tail != IDELTA_TAIL_NONE; });
}

// From one form to the next, so that the later is the more precise in every layer. Of one with tails ranks say nothing.
void check_order(const Form& before, const Form& after) {
  for (size_t l = 0; l < after.ranks.size(); ++l) {
    if (after.ranks[l] == kDense || (before.ranks[l] != kDense && before.ranks[l] <= after.ranks[l])) continue;
    fail("forms: in layer ", l + 1, " form '", after.name, "' has a lower rank than '", before.name,
         "' before it; give the coarsest form first");
  }
}

// Sizes: libidelta checks the numbers.
void check_tail(int64_t n, const Forms::Tail& tail, size_t layer) {
  const auto entries = static_cast<size_t>(n * n);
  if (tail.q.size() != entries || tail.scales.size() != static_cast<size_t>(n) ||
      tail.V.size() != static_cast<size_t>(n * tail.rank)) {
    fail("forms: the tail of layer ", layer + 1, " has ", tail.q.size(), " integers, ", tail.scales.size(),
         " scales and ", tail.V.size(), " entries of V; give ", entries, ", ", n, " and ", n * tail.rank);
  }
}

DeltaOptions forward_options(float identity_scale) {
  DeltaOptions options = kDeltaOptions;
  options.passes = IDELTA_PASS_FORWARD;
  options.identity_scale = identity_scale;
  return options;
}

}  // namespace

double Form::multiplications(int64_t n) const {
  double sum = 0;
  for (const int64_t rank : ranks) sum += rank == kDense ? 1.0 : 2 * static_cast<double>(rank) / static_cast<double>(n);
  return sum / static_cast<double>(ranks.size());
}

// Of one thread, so that what is chosen by it does not depend on how many there are. Rows' errors are not in it: they
// take 1 % of a dense layer's time.
double expected_time(const Context& context, const Form& form, int64_t n) {
  DeltaOptions options = kDeltaOptions;
  options.expected_rows = PredictOptions().batch;
  options.format = IDELTA_FORMAT_F32;
  const double dense = predicted_seconds(context, n, options, 1);
  double sum = 0;
  options.format = IDELTA_FORMAT_LOW_RANK;
  for (size_t l = 0; l < form.ranks.size(); ++l) {
    options.rank = form.ranks[l], options.tail = form.has_tail(l) ? form.tails[l] : IDELTA_TAIL_NONE;
    sum += form.ranks[l] == kDense ? dense : predicted_seconds(context, n, options, 1);
  }
  return sum / (dense * static_cast<double>(form.ranks.size()));
}

void check_forms(int64_t n, const std::vector<Form>& forms, const std::vector<Forms::Layer>& layers) {
  if (forms.empty() || forms.size() > Forms::kMost) {
    fail("forms: there are ", forms.size(), " of them; give 1 to ", Forms::kMost);
  }
  if (layers.empty()) fail("forms: there are no layers; give those of a network");
  for (size_t l = 0; l < layers.size(); ++l) {
    const Forms::Layer& layer = layers[l];
    if (layer.rank < 0 || layer.rank > n) {
      fail("forms: layer ", l + 1, " has factors of rank ", layer.rank, "; give 0 to ", n);
    }
    check_bound("the norm", layer.bounds.norm, l);
    check_bound("the norm of D", layer.bounds.delta_norm, l);
    check_bound("the dense certificate", layer.bounds.dense_error, l);
    if (layer.proofs.size() != forms.size()) {
      fail("forms: layer ", l + 1, " has ", layer.proofs.size(), " proofs; give one for each of ", forms.size(),
           " forms");
    }
    if (layer.tail) check_bound("the tail's reverse overlap", layer.tail->reverse_overlap, l);
    for (const LowRankProof& proof : layer.proofs) {
      check_bound("what is dropped", proof.dropped, l);
      check_bound("the departure", proof.departure, l);
      check_bound("the overlap", proof.overlap, l);
      check_bound("the reverse overlap", proof.reverse_overlap, l);
      check_bound("the norm of the tail", proof.tail, l);
    }
  }
  for (const Form& form : forms) check_form(n, form, layers);
  const Form* before = nullptr;
  for (const Form& form : forms) {
    if (has_tails(form)) continue;
    if (before) check_order(*before, form);
    before = &form;
  }
}

Forms::Forms(const Context& context, int64_t n, float identity_scale, std::vector<Form> forms,
             std::vector<Layer> layers)
    : n_(n), forms_(std::move(forms)), layers_(std::move(layers)) {
  check_forms(n, forms_, layers_);
  for (Form& form : forms_) form.tails.resize(layers_.size(), IDELTA_TAIL_NONE);
  for (size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    const auto entries = static_cast<size_t>(n * layer.rank);
    if (layer.U.size() != entries || layer.V.size() != entries) {
      fail("forms: U and V of layer ", l + 1, " have ", layer.U.size(), " and ", layer.V.size(), " entries; give ", n,
           " x ", layer.rank, " of each");
    }
    if (layer.tail) check_tail(n, *layer.tail, l);
  }
  for (size_t f = 0; f < forms_.size(); ++f) {
    std::vector<std::unique_ptr<Delta>>& packed = packed_.emplace_back();
    for (size_t l = 0; l < layers_.size(); ++l) {
      packed.push_back(pack(context, f, static_cast<int64_t>(l), forward_options(identity_scale)));
    }
    times_.push_back(expected_time(context, forms_[f], n));
    fastest_first_.push_back(f);
  }
  std::stable_sort(fastest_first_.begin(), fastest_first_.end(),
                   [&](size_t a, size_t b) { return times_[a] < times_[b]; });
}

std::unique_ptr<Delta> Forms::pack(const Context& context, size_t f, int64_t layer, DeltaOptions options) const {
  const auto l = static_cast<size_t>(layer);
  const Layer& parts = layers_[l];
  const int64_t rank = forms_[f].ranks[l];
  if (rank == kDense) return nullptr;
  options.format = IDELTA_FORMAT_LOW_RANK;
  const bool tail = forms_[f].has_tail(l);
  const Int8Tail integers = tail ? Int8Tail{parts.tail->q.data(), n_, parts.tail->scales.data()} : Int8Tail{};
  const float* const V = tail ? parts.tail->V.data() : parts.V.data();
  return std::make_unique<Delta>(Delta::of_measured(context, n_, rank, parts.U.data(), parts.rank, V, n_,
                                                    parts.proofs[f], options, tail ? &integers : nullptr));
}

void attach_forms(const Network& compressed, Network& dense) {
  if (!compressed.forms()) fail("attach_forms: the compressed network has no forms; give one that compress() made");
  if (!dense.has_dense()) fail("attach_forms: the dense network has dropped D; give one that has it");
  const NetworkOptions &a = compressed.options(), &b = dense.options();
  if (a.layers != b.layers || a.n() != b.n() || a.classes != b.classes || a.height != b.height ||
      a.identity_scale != b.identity_scale || a.class_padding != b.class_padding ||
      a.activation.kind != b.activation.kind || a.activation.slope != b.activation.slope) {
    fail(
        "attach_forms: the dense network has other sizes or settings than the compressed one; "
        "give the network that was compressed");
  }
  for (int64_t l = 0; l < dense.layers(); ++l) {
    const Forms::Layer& layer = compressed.forms()->layers()[static_cast<size_t>(l)];
    if (hash_of(dense.delta(l)) == layer.delta_hash && hash_of(dense.bias(l)) == layer.bias_hash) continue;
    fail("attach_forms: layer ", l + 1,
         " of the dense network is not the one that was compressed; "
         "give the network that was");
  }
  dense.set_forms(compressed.state_->forms);
}

}  // namespace idelta::nn
