// The C ABI: cheaper forms, and labels with a guarantee.
#include "../error.h"
#include "handles.h"

using namespace idelta::nn;
using namespace idelta::nn::api;

namespace {

static_assert(kDense == -1, "idelta/nn/compression.h says so");

// What only labels with a guarantee have.
void check_outputs(const idelta_predict_args& a) {
  if (a.guarantee) return;
  for (const auto& [name, given] : {std::pair<const char*, const void*>("margins", a.margins),
                                    {"bounds", a.bounds},
                                    {"settled_by", a.settled_by},
                                    {"settled", a.settled},
                                    {"tried", a.tried}}) {
    if (given) invalid(sentence(name, " is given, but guarantee is 0: only labels with a guarantee have it"));
  }
}

}  // namespace

extern "C" {

idelta_status idelta_network_compress(idelta_network* network, const idelta_compress_options* options) {
  return guarded(__func__, [&] {
    Network& net = checked_network(network);
    const idelta_compress_options defaults = IDELTA_COMPRESS_OPTIONS_INIT;
    const Given given(options ? options : &defaults, "options");
    const idelta_compress_options& o = *given;
    const CompressOptions how = {.rank = o.rank, .sigma = o.sigma, .tolerance = o.tolerance, .tail = o.tail};
    if (how == CompressOptions() && !o.sample) {
      invalid("sample is null; give images that choose the ranks, or one of rank, sigma, tolerance and tail");
    }
    const auto seen = [&](int64_t done, int64_t of) {
      if (o.seen) o.seen(o.user, done, of);
    };
    const Dataset none;
    std::vector<Considered> considered;
    net.set_forms(compress(net, how, o.sample ? *o.sample->set : none, &considered, seen));
    for (const Considered& c : considered) {
      const idelta_considered form = {sizeof(idelta_considered), c.name.c_str(), c.multiplications, c.settled,
                                      c.verdict.c_str(),         c.time};
      if (o.considered) o.considered(o.user, &form);
    }
  });
}

idelta_status idelta_network_attach_forms(const idelta_network* compressed, idelta_network* dense) {
  return guarded(__func__,
                 [&] { attach_forms(checked(compressed, "compressed").network, checked(dense, "dense").network); });
}

idelta_status idelta_network_form(const idelta_network* network, int64_t form, idelta_form_info_t* info) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Forms* const forms = net.forms();
    check_index("form", form, forms ? static_cast<int64_t>(forms->count()) : 0);
    const Given known(info, "info");  // checks its size
    const Form& found = forms->form(static_cast<size_t>(form));
    give(idelta_form_info_t{sizeof(idelta_form_info_t), found.name.c_str(), found.ranks.data(),
                            found.multiplications(forms->n()), found.tails.data(),
                            forms->time(static_cast<size_t>(form))},
         info);
  });
}

idelta_status idelta_network_predict(const idelta_network* network, const idelta_predict_args* args) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Given given(args, "args");
    const idelta_predict_args& a = *given;
    check_outputs(a);
    const PredictOptions options = {.form = a.form, .guarantee = a.guarantee != 0, .batch = batch_of(a.batch)};
    const DenseImages images(a.rows, a.images, a.ld, net.options().pixels());
    const Predictions found = predict(net, a.rows, images.data(), options);
    copy_to(found.labels, a.labels);
    copy_to(found.margins, a.margins);
    copy_to(found.bounds, a.bounds);
    copy_to(found.settled_by, a.settled_by);
    copy_to(found.settled, a.settled);
    copy_to(found.tried, a.tried);
    if (a.seconds) *a.seconds = found.seconds;
  });
}

}  // extern "C"
