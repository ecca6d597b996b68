// idelta explain: a report of what every layer of a network contributes, and what it did to chosen test images.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/report/choose.h"
#include "cli/report/report.h"
#include "files.h"
#include "inputs.h"
#include "interrupt.h"
#include "output.h"
#include "table.h"
#include "train_command.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

namespace fs = std::filesystem;
using report::Json;

struct Flags {
  MachineFlags machine;
  DataFlags data;
  std::string model, out, images, pick = "mixed", study;
  bool quick = false, json = false;
};

constexpr int64_t kDefaultWidth = 100;

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> paths;
  for (const std::string& name : report::file_names()) paths.push_back((fs::path(folder) / name).string());
  return paths;
}

// Layers down, images across: as many tables as the width asks for.
std::string prediction_tables(const Json& images, int64_t width) {
  constexpr int64_t kFirstColumn = 10, kImageColumn = 9;
  const auto across = static_cast<size_t>(std::max<int64_t>(1, (width - kFirstColumn) / kImageColumn));
  std::string text;
  for (size_t first = 0; first < images.size(); first += across) {
    const size_t last = std::min(images.size(), first + across);
    std::vector<Table::Column> columns = {{"image"}};
    std::vector<std::string> labels = {"label"}, settled = {"settled"};
    for (size_t i = first; i < last; ++i) {
      columns.push_back({images[i]["index"].dump() + " "});
      labels.push_back(images[i]["label"].dump() + "     ");
      settled.push_back(images[i]["settled_in_layer"].dump() + " ");
    }
    Table table(std::move(columns));
    table.add(std::move(labels));
    for (size_t l = 0; l < images[first]["layers"].size(); ++l) {
      std::vector<std::string> row = {format("layer %zu", l + 1)};
      for (size_t i = first; i < last; ++i) {
        const Json& layer = images[i]["layers"][l];
        row.push_back(format("%d %3.0f%%", layer["prediction"].get<int>(), 100 * layer["likelihood"].get<double>()) +
                      (layer["prediction"] == images[i]["label"] ? "•" : " "));
      }
      table.add(std::move(row));
    }
    table.add(std::move(settled));
    text += table.text() + "\n";
  }
  return text;
}

std::string as_text(const Flags& flags, const nn::Network& network, const Json& document,
                    const std::vector<std::string>& files) {
  Listing model, wrote;
  add_model(model, flags.model, network);
  for (size_t f = 0; f < files.size(); ++f) {
    const std::string name = fs::path(files[f]).filename();
    wrote.add(f == 0 ? "wrote" : "", files[f]);
    wrote.add("", document["made"]["files"][name].get<std::string>());
  }
  std::string roles;
  for (const Json& sentence : document["sentences"]["roles"]) roles += "  " + sentence.get<std::string>() + "\n";
  return "Explanation of test images: the class each layer predicts and its score\n" + model.text() + "\n" +
         prediction_tables(document["images"], terminal_width(1, kDefaultWidth)) +
         "  •: the label.  settled: the layer from which on the prediction is the final one.\n\n" + roles + "\n" +
         wrote.text() + "\n";
}

// The training split, if it is there: probes and centres are fitted on it.
std::optional<nn::Dataset> load_training(const Flags& flags, const nn::NetworkOptions& options) {
  if (flags.quick) return std::nullopt;
  try {
    return load_data(flags.data, nn::Split::kTrain, &options, nn::kProbeImages);
  } catch (const FileError&) {
    return std::nullopt;
  }
}

std::vector<std::string> class_names(const nn::Dataset& data, const nn::NetworkOptions& options) {
  std::vector<std::string> names = options.class_names.empty() ? data.class_names : options.class_names;
  for (auto c = static_cast<int64_t>(names.size()); c < options.classes; ++c) names.push_back(std::to_string(c));
  return names;
}

std::string command(const Flags& flags) {
  std::string text = "idelta explain " + shell_word(flags.model);
  const auto add = [&text](const char* option, const std::string& value) {
    if (!value.empty()) text += std::string(" ") + option + " " + shell_word(value);
  };
  add("--data", flags.data.place);
  add("--out", flags.out);
  add("--label", flags.data.label);
  add("--classes", flags.data.classes);
  add("--images", flags.images);
  if (flags.images.empty() && flags.pick != "mixed") add("--pick", flags.pick);
  add("--study", flags.study);
  return text + (flags.quick ? " --quick" : "");
}

// A way to choose, of which what cannot be is known before the work.
auto chooser(const Flags& flags, const nn::Dataset& data, const std::vector<std::string>& names) {
  std::vector<report::Chosen> by_index;
  if (!flags.images.empty()) by_index = report::parse_images(flags.images, data.count);
  return [&flags, &data, &names, by_index](const std::vector<nn::ReadOut>& read_outs) {
    return by_index.empty() ? report::pick(flags.pick, data, read_outs, names) : by_index;
  };
}

// Files of the study's networks that are like this one but for the seed.
std::vector<std::string> siblings(const Flags& flags, const std::optional<nn::Study>& study, int64_t layers) {
  std::vector<std::string> files;
  if (!study) return files;
  const fs::path folder = fs::is_directory(flags.study) ? fs::path(flags.study) : fs::path(flags.study).parent_path();
  for (const nn::StudyNetwork& network : study->networks) {
    if (network.layers == layers && network.labels == nn::StudyLabels::kTrue) {
      files.push_back((folder / network.file).string());
    }
  }
  return files;
}

int run(const Flags& flags) {
  prepare_folder("--out", flags.out);
  const std::vector<std::string> files = files_in(flags.out);
  for (const std::string& path : files) {
    prepare_file("--out", path, "report.html");
    keep_apart("--out", path, flags.model, "the model itself");
  }
  const Context context = make_context(flags.machine);
  const nn::Network network = load_network(context, flags.model);
  const nn::Dataset data = load_data(flags.data, nn::Split::kTest, &network.options());
  for (const std::string& path : files) keep_apart("--out", path, data);
  require_fit(flags.model, network, data);
  const std::optional<nn::Dataset> training = load_training(flags, network.options());
  std::optional<nn::Study> study;
  if (!flags.study.empty()) study = nn::read_study(flags.study);

  const std::vector<std::string> names = class_names(data, network.options());
  const report::Request request = {.command = command(flags),
                                   .train_command = train_command(network, flags.data, training ? *training : data,
                                                                  fs::path(flags.model).filename()),
                                   .model = flags.model,
                                   .data = flags.data.place,
                                   .forms = forms_json(network),
                                   .choose = chooser(flags, data, names)};
  const report::Report made = judged(flags.model, [&] {
    const report::Subject subject = {.network = network,
                                     .test = data,
                                     .train = training ? &*training : nullptr,
                                     .class_names = names,
                                     .feature_names = network.options().feature_names,
                                     .quick = flags.quick,
                                     .siblings = siblings(flags, study, network.layers()),
                                     .study = study ? &*study : nullptr};
    return report::gather(subject, request);
  });
  {
    const SignalsHeld held;
    report::write(flags.out, made, network.options());
  }
  if (flags.json) {
    Json document = made.document;
    document["files"] = files;
    print_json(document);
  } else {
    print(as_text(flags, network, made.document, files));
  }
  return kExitOk;
}

}  // namespace

Verb add_explain(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("explain", "a report of what each layer contributes: charts, maps, checks");
  add_model_argument(*verb, flags->model);
  add_data_flags(*verb, flags->data);
  verb->add_option("--out", flags->out, "folder for report.html and the numbers beside it")
      ->option_text("FOLDER")
      ->required();
  verb->add_option("--images", flags->images, "images to show, as indices into the test set")->option_text("I,J,...");
  verb->add_option("--pick", flags->pick, "class, misclassified, latest, uncertain; mixed: some of each")
      ->option_text("HOW [mixed]")
      ->check(CLI::IsMember(report::kPicks));
  verb->add_option("--study", flags->study, "a folder of idelta study, for bands and roles over its seeds")
      ->option_text("FOLDER");
  verb->add_flag("--quick", flags->quick, "without roles, geometry, controls and pixel flipping");
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "report.json on stdout too, with the files written");
  verb->footer(
      "Example:\n"
      "  idelta explain model.safetensors --data fashion-mnist --out report\n"
      "  idelta explain model.safetensors --data fashion-mnist --images 0,1,2 --out report");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
