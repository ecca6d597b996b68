// Loading with the errors sorted by who can mend them.
#include "inputs.h"

#include <climits>
#include <nlohmann/json.hpp>

#include "names.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
void add_machine_flags(CLI::App& verb, MachineFlags& flags) {
  verb.add_option("--isa", flags.isa, idelta_isa_names() + std::string("; auto is the best this machine runs"))
      ->option_text("NAME [auto]");
  verb.add_option("--threads", flags.threads, "0: from affinity, cgroup quota and cores")
      ->option_text("N [0]")
      ->check(whole_number_from(0, INT_MAX));
}

Context make_context(const MachineFlags& flags) {
  const idelta_isa isa = parse_isa(flags.isa);
  try {
    return Context::with(isa, flags.threads);
  } catch (const Error& error) {
    if (error.status() == IDELTA_INVALID_ARGUMENT) throw UsageError(error.what());
    throw;
  }
}

namespace {

CLI::Option* data_flags(CLI::App& verb, DataFlags& flags) {
  CLI::Option* const data =
      verb.add_option("--data", flags.place, "fashion-mnist, a folder of IDX, .npy or CSV files, or a .csv file")
          ->option_text("NAME|FOLDER|FILE");
  verb.add_option("--label", flags.label, "column of labels in a CSV file; else label, class, target, last")
      ->option_text("NAME");
  verb.add_option("--classes", flags.classes, "file of class names, one a line; else classes.txt of the folder")
      ->option_text("FILE");
  return data;
}

nn::Scale parse_scale(const std::string& name) {
  if (name.empty()) return nn::Scale::kUsual;
  if (name == "0..1") return nn::Scale::kZeroToOne;
  if (name == "-1..1") return nn::Scale::kMinusOneToOne;
  if (name == "none") return nn::Scale::kNone;
  throw UsageError("--scale: '" + name + "' is no range; use one of 0..1, -1..1, none");
}

bool is_tabular(const nn::Dataset& data) { return data.height == 1; }

}  // namespace

void add_data_flags(CLI::App& verb, DataFlags& flags) { data_flags(verb, flags)->required(); }

void add_optional_data_flags(CLI::App& verb, DataFlags& flags) { data_flags(verb, flags); }

void add_scale_flag(CLI::App& verb, DataFlags& flags) {
  verb.add_option("--scale", flags.scale, "of each feature of CSV and float .npy: 0..1, -1..1 or none")
      ->option_text("RANGE [0..1 for CSV]");
}

nn::Dataset load_data(const DataFlags& flags, nn::Split split, const nn::NetworkOptions* network, int64_t most) {
  const nn::LoadOptions options = {.most = most,
                                   .scale = parse_scale(flags.scale),
                                   .label = flags.label,
                                   .classes_path = flags.classes,
                                   .network = network};
  return read_file([&] { return nn::load_dataset(flags.place, split, options); });
}

void add_model_argument(CLI::App& verb, std::string& path) {
  verb.add_option("model,--model", path, "the model file that idelta train or compress wrote")
      ->option_text("FILE")
      ->required();
}

nn::Network load_network(const Context& context, const std::string& path) {
  return read_file([&] { return nn::load_model(context, path); });
}

void require_fit(const std::string& model_path, const nn::Network& network, const nn::Dataset& data) {
  const nn::NetworkOptions& options = network.options();
  if (data.height == options.height && data.width == options.width && data.classes <= options.classes) {
    const std::string names = nn::feature_difference(options, data.feature_names);
    if (names.empty()) return;
    throw FileError(data.name + ": its features are not those that " + model_path + " was trained on: " + names +
                    "; give the columns of the training set in its order");
  }
  throw FileError(
      format("%s was trained on images of %lld x %lld in %lld classes, but %s has %lld x %lld in %lld; give "
             "the --data it was trained on",
             model_path.c_str(), (long long)options.height, (long long)options.width, (long long)options.classes,
             data.name.c_str(), (long long)data.height, (long long)data.width, (long long)data.classes));
}

std::string forms_text(const nn::Network& network) {
  const nn::Forms* const forms = network.forms();
  if (!forms) return "";
  std::string text;
  for (size_t f = 0; f < forms->count(); ++f) {
    text += (f == 0 ? "" : ", ") + forms->form(f).name +
            format(" (%.1f %%)", 100 * forms->form(f).multiplications(forms->n()));
  }
  return text + (network.has_dense() ? ", dense" : "; D was dropped");
}

void add_model(Listing& listing, const std::string& path, const nn::Network& network) {
  listing.add("model", path);
  if (!network.forms()) return;
  listing.add("", "compressed: " + forms_text(network));
  if (network.has_dense()) return;
  const nn::Forms& forms = *network.forms();
  listing.add("",
              "what follows is of form " + forms.form(forms.count() - 1).name + ", and of D where the file kept it");
}

nlohmann::ordered_json tail_json(idelta_tail tail) {
  if (tail == IDELTA_TAIL_NONE) return nullptr;
  return idelta_tail_name(tail);
}

nlohmann::ordered_json forms_json(const nn::Network& network) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (size_t f = 0; network.forms() && f < network.forms()->count(); ++f) {
    names.push_back(network.forms()->form(f).name);
  }
  return names;
}

nlohmann::ordered_json layer_json(const nn::Evaluation& evaluation, size_t l) {
  const nn::LayerReport& layer = evaluation.layers[l];
  const nn::Closure& closure = evaluation.closure[l];
  return {{"layer", l + 1},
          {"accuracy", layer.accuracy},
          {"cross_entropy", layer.cross_entropy},
          {"entropy", layer.entropy},
          {"margin", layer.margin},
          {"kl_to_final", layer.kl_to_final},
          {"decided", evaluation.decided[l]},
          {"direct_contribution", layer.direct_contribution},
          {"contribution_norm", layer.contribution_norm},
          {"activation_change_norm", layer.activation_change_norm},
          {"step_norm", layer.step_norm},
          {"spectral_norm", layer.spectral_norm},
          {"frobenius_ratio", layer.frobenius_ratio},
          {"completeness_ulp", closure.sum_ulp},
          {"completeness_bound_ulp", closure.bound_ulp},
          {"layer_residual_ulp", closure.layer_ulp},
          {"layer_residual_share", closure.layer_share}};
}

void add_network(Listing& listing, const nn::NetworkOptions& options) {
  listing.add("network",
              format("%lld %s of width %lld: %lld %s + %lld classes", (long long)options.layers,
                     options.layers == 1 ? "layer" : "layers", (long long)options.n(), (long long)options.pixels(),
                     options.feature_names.empty() ? "pixels" : "features", (long long)options.classes));
  listing.add("", format("%s, identity scale %s, class padding %s", activation_name(options.activation).c_str(),
                         short_number(options.identity_scale).c_str(), short_number(options.class_padding).c_str()));
}

std::string describe(const nn::Dataset& data, nn::Split split) {
  if (is_tabular(data)) {
    return format("%s, %s %s rows of %lld features, %lld classes", data.name.c_str(), grouped(data.count).c_str(),
                  split == nn::Split::kTrain ? "training" : "test", (long long)data.width, (long long)data.classes);
  }
  return format("%s, %s %s images of %lld x %lld, %lld classes", data.name.c_str(), grouped(data.count).c_str(),
                split == nn::Split::kTrain ? "training" : "test", (long long)data.height, (long long)data.width,
                (long long)data.classes);
}

void add_data(Listing& listing, const nn::Dataset& data, nn::Split split) {
  listing.add("data", describe(data, split));
  for (const std::string& note : data.notes) listing.add("", note);
}

std::string describe(const Context& context) {
  return format("%s, %d %s", idelta_isa_name(context.isa()), int(context.threads()),
                context.threads() == 1 ? "thread" : "threads");
}

}  // namespace idelta::cli
