// The C ABI: evaluation, decomposition, class maps, neurons.
#include <algorithm>

#include "../error.h"
#include "handles.h"
#include "reports.h"

using namespace idelta::nn;
using namespace idelta::nn::api;

namespace {

// Where the numbers of a LayerReport go.
constexpr Column<idelta_evaluation, LayerReport, double> kLayerColumns[] = {
    {&idelta_evaluation::accuracy, &LayerReport::accuracy},
    {&idelta_evaluation::cross_entropy, &LayerReport::cross_entropy},
    {&idelta_evaluation::entropy, &LayerReport::entropy},
    {&idelta_evaluation::margin, &LayerReport::margin},
    {&idelta_evaluation::kl_to_final, &LayerReport::kl_to_final},
    {&idelta_evaluation::direct_contribution, &LayerReport::direct_contribution},
    {&idelta_evaluation::contribution_norm, &LayerReport::contribution_norm},
    {&idelta_evaluation::activation_change_norm, &LayerReport::activation_change_norm},
    {&idelta_evaluation::step_norm, &LayerReport::step_norm},
    {&idelta_evaluation::spectral_norm, &LayerReport::spectral_norm},
    {&idelta_evaluation::frobenius_ratio, &LayerReport::frobenius_ratio},
};

constexpr Column<idelta_evaluation, Closure, double> kClosureColumns[] = {
    {&idelta_evaluation::completeness_ulp, &Closure::sum_ulp},
    {&idelta_evaluation::completeness_bound_ulp, &Closure::bound_ulp},
    {&idelta_evaluation::layer_residual_ulp, &Closure::layer_ulp},
    {&idelta_evaluation::layer_residual_share, &Closure::layer_share},
};

}  // namespace

extern "C" {

idelta_status idelta_network_evaluate(const idelta_network* network, const idelta_dataset* data,
                                      const idelta_evaluation* to) {
  return guarded(__func__, [&] {
    const Given given(to, "to");
    const idelta_evaluation& out = *given;
    const bool norms = out.spectral_norm || out.frobenius_ratio;
    const Evaluation found =
        evaluate(checked_network(network), checked_data(data), {.batch = batch_of(out.batch), .norms = norms});
    write_columns(kLayerColumns, found.layers, out);
    copy_to(found.decided, out.decided);
    write_columns(kClosureColumns, found.closure, out);
    if (out.input_accuracy) *out.input_accuracy = found.input_accuracy;
    if (out.telescoping_error) *out.telescoping_error = found.telescoping_error;
  });
}

idelta_status idelta_network_accuracy(const idelta_network* network, const idelta_dataset* data, int64_t batch,
                                      double* accuracy) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Dataset& set = checked_data(data);
    check_pointer(accuracy, "accuracy");
    *accuracy = idelta::nn::accuracy(net, set, batch_of(batch));
  });
}

idelta_status idelta_network_read_outs(const idelta_network* network, const idelta_dataset* data,
                                       const idelta_read_outs* to) {
  return guarded(__func__, [&] {
    const Given given(to, "to");
    const idelta_read_outs& out = *given;
    const Network& net = checked_network(network);
    const std::vector<ReadOut> found = read_outs(net, checked_data(data), batch_of(out.batch));
    for (size_t i = 0; i < found.size(); ++i) {
      const ReadOut& image = found[i];
      if (out.predictions) copy_to(image.predictions, out.predictions + i * image.predictions.size());
      if (out.first_final_layer) out.first_final_layer[i] = static_cast<int32_t>(image.first_final_layer);
      if (out.final_margin) out.final_margin[i] = image.final_margin;
      if (out.final_likelihood) out.final_likelihood[i] = image.final_likelihood;
    }
  });
}

idelta_status idelta_network_decompose(const idelta_network* network, const idelta_decompose_args* args) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Given given(args, "args");
    const idelta_decompose_args& a = *given;
    const int64_t batch = batch_of(a.batch);
    const DenseImages images(a.rows, a.images, a.ld, net.options().pixels());
    decompose(net, a.rows, images.data(),
              {.contribution_maps = a.contribution_maps,
               .contributions = a.contributions,
               .activation_changes = a.activation_changes,
               .steps = a.steps,
               .class_likelihoods = a.class_likelihoods,
               .predictions = a.predictions,
               .features = a.features,
               .logits = a.logits,
               .final_likelihoods = a.final_likelihoods},
              batch);
  });
}

idelta_status idelta_network_class_maps(const idelta_network* network, const idelta_class_maps_args* args) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    const Given given(args, "args");
    const idelta_class_maps_args& a = *given;
    const int64_t batch = batch_of(a.batch);
    const DenseImages images(a.rows, a.images, a.ld, net.options().pixels());
    if (a.rows > 0) check_pointer(a.classes, "classes");
    class_maps(net, a.rows, images.data(), a.classes, {.maps = a.maps, .rests = a.rests, .logits = a.logits}, batch);
  });
}

idelta_status idelta_network_neuron(const idelta_network* network, const float* image, int64_t layer, int64_t neuron,
                                    double* terms, double* bias, float* contribution) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    check_pointer(image, "image");
    const NeuronSplit split = neuron_split(net, {image, static_cast<size_t>(net.options().pixels())}, layer, neuron);
    copy_to(split.terms, terms);
    if (bias) *bias = split.bias;
    if (contribution) *contribution = split.contribution;
  });
}

idelta_status idelta_network_top_neurons(const idelta_network* network, const idelta_dataset* data, int64_t most,
                                         int64_t batch, int64_t* neurons, double* mean_magnitude, double* mean) {
  return guarded(__func__, [&] {
    const Network& net = checked_network(network);
    size_t at = 0;
    for (const std::vector<NeuronTerm>& layer : top_neurons(net, checked_data(data), most, batch_of(batch))) {
      for (const NeuronTerm& term : layer) {
        if (neurons) neurons[at] = term.neuron;
        if (mean_magnitude) mean_magnitude[at] = term.mean_magnitude;
        if (mean) mean[at] = term.mean;
        ++at;
      }
    }
  });
}

}  // extern "C"
