// The C ABI: networks, their parameters, model files.
#include <algorithm>
#include <cmath>

#include "../check_data.h"
#include "../error.h"
#include "../finite.h"
#include "../model_metadata.h"
#include "../scaling.h"
#include "handles.h"

using namespace idelta::nn;
using namespace idelta::nn::api;

namespace {

NetworkOptions options_of(const idelta_network_options& o) {
  NetworkOptions options{.layers = o.layers,
                         .height = o.height,
                         .width = o.width,
                         .classes = o.classes,
                         .identity_scale = o.identity_scale,
                         .activation = o.activation,
                         .class_padding = o.class_padding,
                         .label_name = text_or_empty(o.label_name)};
  check_options(options);  // before arrays of these sizes are read
  options.feature_names = names_of(o.feature_names, options.pixels(), "feature_names");
  options.class_names = names_of(o.class_names, options.classes, "class_names");
  if (o.label_name) names_of(&o.label_name, 1, "label_name");
  options.scaling = scaling_of(o.offsets, o.factors, options.pixels());
  return options;
}

SaveOptions save_options_of(const idelta_save_options* options) {
  if (!options) return {};
  return {.drop_dense = (*Given(options, "options")).drop_dense != 0};
}

}  // namespace

extern "C" {

idelta_status idelta_network_options_for(const idelta_dataset* train, idelta_network_options* options) {
  return guarded(__func__, [&] {
    const Dataset& set = checked_data(train, "train");
    const Given known(options, "options");
    idelta_network_options all = *known;
    all.height = set.height;
    all.width = set.width;
    all.classes = set.classes;
    all.feature_names = or_null(train->feature_names);
    all.class_names = or_null(train->class_names);
    all.label_name = set.label_name.empty() ? nullptr : set.label_name.c_str();
    all.offsets = or_null(set.scaling.offsets);
    all.factors = or_null(set.scaling.factors);
    give(all, options);
  });
}

idelta_status idelta_network_create(const idelta_context* context, const idelta_network_options* options,
                                    idelta_network** network) {
  return guarded(__func__, [&] {
    const idelta::Context shared = context_of(context);
    check_pointer(network, "network");
    const idelta_network_options defaults = IDELTA_NETWORK_OPTIONS_INIT;
    *network = new idelta_network(Network(shared, options_of(*Given(options ? options : &defaults, "options"))));
  });
}

idelta_status idelta_network_save(const idelta_network* network, const char* path, const idelta_save_options* options) {
  return guarded(__func__,
                 [&] { save_model(text_of(path, "path"), checked_network(network), save_options_of(options)); });
}

idelta_status idelta_network_load(const idelta_context* context, const char* path, idelta_network** network) {
  return reading(__func__, [&] {
    const idelta::Context shared = context_of(context);
    check_pointer(network, "network");
    *network = new idelta_network(load_model(shared, text_of(path, "path")));
  });
}

idelta_status idelta_network_to_bytes(const idelta_network* network, const idelta_save_options* options,
                                      idelta_bytes** bytes) {
  return guarded(__func__, [&] {
    check_pointer(bytes, "bytes");
    *bytes = new idelta_bytes{model_bytes(checked_network(network), save_options_of(options))};
  });
}

const void* idelta_bytes_data(const idelta_bytes* bytes) { return bytes ? bytes->bytes.data() : nullptr; }
size_t idelta_bytes_size(const idelta_bytes* bytes) { return bytes ? bytes->bytes.size() : 0; }
void idelta_bytes_destroy(idelta_bytes* bytes) { delete bytes; }

idelta_status idelta_network_from_bytes(const idelta_context* context, const void* bytes, size_t size,
                                        idelta_network** network) {
  return reading(__func__, [&] {
    const idelta::Context shared = context_of(context);
    check_pointer(bytes, "bytes");
    check_pointer(network, "network");
    *network = new idelta_network(load_model_bytes(shared, {static_cast<const std::byte*>(bytes), size}));
  });
}

idelta_status idelta_network_info(const idelta_network* network, idelta_network_info_t* info) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const NetworkOptions& o = net.options();
    const Given known(info, "info");  // checks its size
    give(idelta_network_info_t{sizeof(idelta_network_info_t), o.layers, o.height, o.width, o.classes, o.n(),
                               o.identity_scale, o.activation, o.class_padding, or_null(network->feature_names),
                               or_null(network->class_names), o.label_name.c_str(), or_null(o.scaling.offsets),
                               or_null(o.scaling.factors), net.compute(), net.has_dense(),
                               net.forms() ? static_cast<int64_t>(net.forms()->count()) : 0},
         info);
  });
}

idelta_status idelta_network_settings(const idelta_network* network, idelta_setting_seen seen, void* user) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    if (!seen) invalid("seen is null; give a function that is told each setting");
    for (const auto& [name, value] : describe(net, net.trained_with())) seen(user, name.c_str(), value.c_str());
  });
}

idelta_status idelta_network_hash(const idelta_network* network, char digits[17]) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    check_pointer(digits, "digits");
    const std::string hash = parameters_hash(net);
    std::copy_n(hash.c_str(), hash.size() + 1, digits);
  });
}

idelta_status idelta_network_warnings(const idelta_network* network, idelta_text_seen seen, void* user) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    if (!seen) invalid("seen is null; give a function that is told each sentence");
    say(warnings(net.options()), seen, user);
  });
}

idelta_status idelta_network_layer(const idelta_network* network, int64_t layer, float* D, int64_t ldd, float* bias) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    check_index("layer", layer, net.layers());
    const int64_t n = net.n();
    if (D) {
      check_matrix(D, "D", n, ldd, "ldd", n);
      const std::vector<float> delta = net.delta(layer);
      for (int64_t i = 0; i < n; ++i) std::copy_n(delta.data() + i * n, n, D + i * ldd);
    }
    copy_to(net.bias(layer), bias);
  });
}

idelta_status idelta_network_set_layer(idelta_network* network, int64_t layer, const float* D, int64_t ldd,
                                       const float* bias) {
  return guarded(__func__, [&] {
    Network& net = checked_network(network);
    check_index("layer", layer, net.layers());
    const int64_t n = net.n();
    check_matrix(D, "D", n, ldd, "ldd", n);
    check_pointer(bias, "bias");
    const std::span<const float> b(bias, static_cast<size_t>(n));
    std::vector<float> delta;
    for (int64_t i = 0; i < n; ++i) {
      delta.insert(delta.end(), D + i * ldd, D + i * ldd + n);
      if (!all_finite(std::span(delta).last(b.size()))) invalid(sentence("D is not finite in row ", i));
    }
    if (!all_finite(b)) invalid("bias is not finite");
    net.set_layer(layer, delta, b);
  });
}

idelta_status idelta_network_set_compute(idelta_network* network, idelta_format format, int64_t rank) {
  return guarded(__func__, [&] { checked_network(network).set_compute(format, rank); });
}

idelta_status idelta_network_scale(const idelta_network* network, int64_t rows, const float* images, int64_t ld,
                                   float* scaled, int64_t ld_scaled) {
  return guarded(__func__, [&] {
    const NetworkOptions& options = checked_network(network).options();
    const auto pixels = static_cast<size_t>(options.pixels());
    if (rows < 0) invalid(sentence("rows = ", rows, " is negative"));
    check_matrix(images, "images", rows, ld, "ld", options.pixels(), "P");
    check_matrix(scaled, "scaled", rows, ld_scaled, "ld_scaled", options.pixels(), "P");
    if (images == scaled && ld != ld_scaled) invalid("scaled is images, but their row strides differ");
    for (int64_t i = 0; i < rows; ++i) {
      const std::span<float> out(scaled + i * ld_scaled, pixels);
      scale_row(options.scaling, std::span<const float>(images + i * ld, pixels), out.data());
      if (!all_finite(out)) throw NotFinite(sentence("row ", i, " of images is not finite once it is scaled"));
    }
  });
}

void idelta_network_destroy(idelta_network* network) { delete network; }

}  // extern "C"
