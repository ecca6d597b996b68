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

CLI::Option* data_flag(CLI::App& verb, std::string& data) {
  return verb.add_option("--data", data, "fashion-mnist, or a folder with the four IDX files (plain or .gz)")
      ->option_text("NAME|FOLDER");
}

}  // namespace

void add_data_flag(CLI::App& verb, std::string& data) { data_flag(verb, data)->required(); }

void add_optional_data_flag(CLI::App& verb, std::string& data) { data_flag(verb, data); }

nn::Dataset load_data(const std::string& name_or_folder, nn::Split split, int64_t most) {
  return read_file([&] { return nn::load_dataset(name_or_folder, split, most); });
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
  if (data.height == options.height && data.width == options.width && data.classes <= options.classes) return;
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
  listing.add("", "what follows is of its most precise form, " + forms.form(forms.count() - 1).name);
}

nlohmann::ordered_json forms_json(const nn::Network& network) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (size_t f = 0; network.forms() && f < network.forms()->count(); ++f) {
    names.push_back(network.forms()->form(f).name);
  }
  return names;
}

void add_network(Listing& listing, const nn::NetworkOptions& options) {
  listing.add("network", format("%lld %s of width %lld: %lld pixels + %lld classes", (long long)options.layers,
                                options.layers == 1 ? "layer" : "layers", (long long)options.n(),
                                (long long)options.pixels(), (long long)options.classes));
  listing.add("", format("%s, identity scale %s, class padding %s", activation_name(options.activation).c_str(),
                         short_number(options.identity_scale).c_str(), short_number(options.class_padding).c_str()));
}

std::string describe(const nn::Dataset& data, nn::Split split) {
  return format("%s, %s %s images of %lld x %lld, %lld classes", data.name.c_str(), grouped(data.count).c_str(),
                split == nn::Split::kTrain ? "training" : "test", (long long)data.height, (long long)data.width,
                (long long)data.classes);
}

std::string describe(const Context& context) {
  return format("%s, %d %s", idelta_isa_name(context.isa()), int(context.threads()),
                context.threads() == 1 ? "thread" : "threads");
}

}  // namespace idelta::cli
