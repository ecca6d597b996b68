// The fields of options, each with the name that it has in files: one list for all who write, read or compare them.
#ifndef IDELTA_NN_OPTION_FIELDS_H
#define IDELTA_NN_OPTION_FIELDS_H

#include <concepts>
#include <string>
#include <type_traits>

#include "idelta/nn.hpp"

namespace idelta::nn {

// Calls visit(name, field) for every field of NetworkOptions or TrainOptions, const or not.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, NetworkOptions>
void visit_fields(Options& o, const Visit& visit) {
  visit("layers", o.layers);
  visit("height", o.height);
  visit("width", o.width);
  visit("classes", o.classes);
  visit("identity_scale", o.identity_scale);
  visit("activation", o.activation.kind);
  visit("slope", o.activation.slope);
  visit("class_padding", o.class_padding);
}

template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, TrainOptions>
void visit_fields(Options& o, const Visit& visit) {
  visit("epochs", o.epochs);
  visit("batch", o.batch);
  visit("learning_rate", o.learning_rate);
  visit("decay_epochs", o.decay_epochs);
  visit("optimizer", o.optimizer);
  visit("momentum", o.momentum);
  visit("weight_decay", o.weight_decay);
  visit("compute", o.compute);
  visit("seed", o.seed);
  visit("layer_loss", o.layer_loss);
  visit("shuffled_labels", o.shuffled_labels);
}

// What a field holds as text that reads back to the same bits: the fewest digits, libidelta's names.
std::string text_of(float value);
std::string text_of(double value);
inline std::string text_of(std::integral auto value) { return std::to_string(value); }
inline std::string text_of(idelta_activation_kind kind) { return idelta_activation_name(kind); }
inline std::string text_of(idelta_optimizer_kind kind) { return idelta_optimizer_name(kind); }
inline std::string text_of(idelta_format format) { return idelta_format_name(format); }

template <class Options>
Settings settings_of(const Options& options) {
  Settings all;
  visit_fields(options, [&](const char* name, const auto& field) { all[name] = text_of(field); });
  return all;
}

// The way back: false where the text is none that text_of gives. Names that are not known leave the field alone.
bool read_text(const std::string& text, float& field);
bool read_text(const std::string& text, double& field);
bool read_text(const std::string& text, int64_t& field);
bool read_text(const std::string& text, uint64_t& field);
inline bool read_text(const std::string& text, idelta_activation_kind& field) {
  return idelta_activation_by_name(text.c_str(), &field) == IDELTA_OK;
}
inline bool read_text(const std::string& text, idelta_optimizer_kind& field) {
  return idelta_optimizer_by_name(text.c_str(), &field) == IDELTA_OK;
}
inline bool read_text(const std::string& text, idelta_format& field) {
  return idelta_format_by_name(text.c_str(), &field) == IDELTA_OK;
}

// What may stand in place of a text that was refused.
inline std::string known_texts(idelta_activation_kind) {
  return std::string("known here are ") + idelta_activation_names();
}
inline std::string known_texts(idelta_optimizer_kind) {
  return std::string("known here are ") + idelta_optimizer_names();
}
inline std::string known_texts(idelta_format) { return std::string("known here are ") + idelta_format_names(); }
template <class Number>
requires std::is_arithmetic_v<Number> std::string known_texts(Number) { return "which is no number that fits"; }

}  // namespace idelta::nn

#endif  // IDELTA_NN_OPTION_FIELDS_H
