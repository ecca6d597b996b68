#include "train_command.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "names.h"
#include "output.h"
#include "table.h"

namespace idelta::cli {
namespace {

// Settings that every command says, whether or not they are the usual ones: they are what one changes.
constexpr const char* kAlways[] = {"layers", "epochs", "seed"};

bool is_said_always(const std::string& setting) {
  return std::any_of(std::begin(kAlways), std::end(kAlways), [&](const char* name) { return setting == name; });
}

std::string value_of(const nn::Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  return found == settings.end() ? "" : found->second;
}

int64_t number_of(const nn::Settings& settings, const std::string& name) {
  const std::string text = value_of(settings, name);
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool ran_to_its_end(const nn::Settings& settings) {
  const int64_t images = number_of(settings, "images"), batch = std::min(number_of(settings, "batch"), images);
  return batch > 0 && number_of(settings, "steps") == number_of(settings, "epochs") * ((images + batch - 1) / batch);
}

// --scale, of sets whose features are scaled. Scaling to [-1, 1] takes the least value of each feature to -1.
std::string scale_of(const nn::NetworkOptions& options, const nn::Dataset& set) {
  if (options.scaling.empty()) return options.feature_names.empty() ? "" : "none";
  const bool both_sides = std::any_of(set.images.begin(), set.images.end(), [](float v) { return v < -0.5f; });
  return both_sides ? "-1..1" : "0..1";
}

}  // namespace

nn::Settings all_settings(const nn::NetworkOptions& network, const nn::TrainOptions& train) {
  nn::Settings all = nn::settings(network);
  all.merge(nn::settings(train));
  return all;
}

std::string train_command(const nn::Network& network, const DataFlags& data, const nn::Dataset& set,
                          const std::string& out) {
  const nn::TrainedWith& how = network.trained_with();
  nn::Settings settings = how.settings;
  if (settings.empty()) return "";
  if (!ran_to_its_end(settings)) {
    return "none: its training was interrupted after step " + value_of(settings, "steps");
  }
  settings.merge(nn::settings(network.options()));

  std::string text = how.bf16_product.empty() ? "" : "IDELTA_BF16=" + how.bf16_product + " ";
  text += "idelta train";
  const auto add = [&text](const std::string& flag, const std::string& value) {
    if (!value.empty()) text += " " + flag + " " + shell_word(value);
  };
  add("--data", data.place);
  add("--label", data.label);
  add("--classes", data.classes);
  add("--scale", scale_of(network.options(), set));
  add("--limit", value_of(settings, "images"));
  const nn::Settings usual = all_settings({}, {});
  bool activation_is_said = false;
  for (const auto& [flag, setting] : kFlagsOfSettings) {
    if (!is_said_always(setting) && value_of(settings, setting) == value_of(usual, setting)) continue;
    const bool is_activation = std::string(flag) == "--activation";
    if (is_activation && std::exchange(activation_is_said, true)) continue;
    add(flag, is_activation ? activation_name(network.options().activation) : value_of(settings, setting));
  }
  add("--out", out);
  return text;
}

}  // namespace idelta::cli
