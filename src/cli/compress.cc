// idelta compress: a model with cheaper forms beside D, or in place of it.
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "files.h"
#include "files/rescue.h"
#include "inputs.h"
#include "names.h"
#include "output.h"
#include "progress.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  MachineFlags machine;
  nn::CompressOptions how;
  DataFlags data;
  std::string model, out, tail;
  bool drop_dense = false, explain = false, json = false;
};

// Training images that choose the forms: with 1,000 a share of 80 % is known to 2.5 points.
constexpr int64_t kSampleImages = 1000;

struct Accuracy {
  double dense = 0, form = 0;  // of the dense network and of the first form, on the test set
  double agreement = 0;        // share of equal labels
};

struct Bytes {
  int64_t before = 0, after = 0;  // of D, and of what takes its place
};

// Whether the file keeps D of a layer: without --drop-dense, and where a form multiplies it.
bool keeps_dense(const Flags& flags, const nn::Forms& forms, size_t l) {
  bool keeps = !flags.drop_dense;
  for (size_t f = 0; f < forms.count(); ++f) keeps = keeps || forms.form(f).ranks[l] == nn::kDense;
  return keeps;
}

bool keeps_all_dense(const Flags& flags, const nn::Forms& forms) {
  for (size_t l = 0; l < forms.layers().size(); ++l) {
    if (!keeps_dense(flags, forms, l)) return false;
  }
  return true;
}

Bytes layer_bytes(const Flags& flags, const nn::Forms& forms, size_t l) {
  const int64_t n = forms.n(), dense = n * n * int64_t{sizeof(float)};
  const nn::Forms::Layer& layer = forms.layers()[l];
  int64_t parts = 2 * n * layer.rank * int64_t{sizeof(float)};
  if (layer.tail) parts += n * n + (1 + layer.tail->rank) * n * int64_t{sizeof(float)};
  return {dense, parts + (keeps_dense(flags, forms, l) ? dense : 0)};
}

Bytes all_bytes(const Flags& flags, const nn::Forms& forms) {
  Bytes sum;
  for (size_t l = 0; l < forms.layers().size(); ++l) {
    const Bytes of_layer = layer_bytes(flags, forms, l);
    sum.before += of_layer.before;
    sum.after += of_layer.after;
  }
  return sum;
}

// ||z^ - z|| <= certificate ||x|| of a layer in a form.
double certificate(const nn::Forms& forms, size_t f, size_t l) {
  const Delta* const packed = forms.packed(f, static_cast<int64_t>(l));
  return packed ? packed->info().certificate : forms.layers()[l].bounds.dense_error;
}

// "32 (1.5e-02)", "32 + int8 (1.4e-03)": rank, tail and certificate.
std::string layer_form(const nn::Forms& forms, size_t f, size_t l) {
  const nn::Form& form = forms.form(f);
  const int64_t rank = form.ranks[l];
  return (rank == nn::kDense ? "dense" : rank_name(rank, form.tails[l])) + format(" (%.1e)", certificate(forms, f, l));
}

std::string layer_table(const Flags& flags, const nn::Forms& forms) {
  std::vector<Table::Column> columns = {{"layer"}, {"‖D‖₂ ≤"}};
  for (size_t f = 0; f < forms.count(); ++f) columns.push_back({forms.form(f).name});
  columns.insert(columns.end(), {{"bytes of D"}, {"now"}});
  Table table(std::move(columns));
  for (size_t l = 0; l < forms.layers().size(); ++l) {
    std::vector<std::string> row = {std::to_string(l + 1), format("%.3f", forms.layers()[l].bounds.delta_norm)};
    for (size_t f = 0; f < forms.count(); ++f) row.push_back(layer_form(forms, f, l));
    const Bytes bytes = layer_bytes(flags, forms, l);
    row.push_back(grouped(bytes.before));
    row.push_back(grouped(bytes.after));
    table.add(std::move(row));
  }
  return table.text();
}

std::string considered_table(const std::vector<nn::Considered>& considered) {
  Table table({{"form", Align::kLeft}, {"of the time"}, {"certified"}, {"", Align::kLeft}});
  for (const nn::Considered& c : considered) {
    table.add(
        {c.name, format("%.1f %%", 100 * c.time), c.settled < 0 ? "" : format("%.1f %%", 100 * c.settled), c.verdict});
  }
  return table.text();
}

Json layers_json(const Flags& flags, const nn::Forms& forms) {
  Json layers = Json::array();
  for (size_t l = 0; l < forms.layers().size(); ++l) {
    const nn::LayerBounds& bounds = forms.layers()[l].bounds;
    const Bytes bytes = layer_bytes(flags, forms, l);
    Json of_layer = {{"layer", l + 1},
                     {"norm", bounds.norm},
                     {"delta_norm", bounds.delta_norm},
                     {"dense_certificate", bounds.dense_error},
                     {"bytes_before", bytes.before},
                     {"bytes_after", bytes.after},
                     {"forms", Json::array()}};
    for (size_t f = 0; f < forms.count(); ++f) {
      const nn::Form& form = forms.form(f);
      of_layer["forms"].push_back({{"rank", form.ranks[l] == nn::kDense ? Json(nullptr) : Json(form.ranks[l])},
                                   {"tail", tail_json(form.tails[l])},
                                   {"certificate", certificate(forms, f, l)}});
    }
    layers.push_back(std::move(of_layer));
  }
  return layers;
}

Json as_json(const Flags& flags, const nn::Network& network, const std::vector<nn::Considered>& considered,
             const std::optional<Accuracy>& accuracy) {
  const nn::Forms& forms = *network.forms();
  Json names = Json::array(), tried = Json::array();
  for (size_t f = 0; f < forms.count(); ++f) {
    names.push_back({{"name", forms.form(f).name},
                     {"multiplications_share", forms.form(f).multiplications(forms.n())},
                     {"time_share", forms.time(f)}});
  }
  for (const nn::Considered& c : considered) {
    tried.push_back({{"name", c.name},
                     {"multiplications_share", c.multiplications},
                     {"time_share", c.time},
                     {"certified_share", c.settled < 0 ? Json(nullptr) : Json(c.settled)},
                     {"verdict", c.verdict}});
  }
  const Bytes bytes = all_bytes(flags, forms);
  Json document = {{"verb", "compress"},
                   {"model", flags.model},
                   {"out", flags.out},
                   {"n", forms.n()},
                   {"has_dense", keeps_all_dense(flags, forms)},
                   {"bytes_before", bytes.before},
                   {"bytes_after", bytes.after},
                   {"forms", std::move(names)},
                   {"layers", layers_json(flags, forms)},
                   {"considered", std::move(tried)}};
  if (accuracy) {
    document["dense_test_accuracy"] = accuracy->dense;
    document["test_accuracy"] = accuracy->form;
    document["label_agreement"] = accuracy->agreement;
  }
  return document;
}

// Of the first form and of the dense network on the test set.
Accuracy compare(const Flags& flags, const nn::Network& network, const nn::Dataset& test) {
  const std::vector<uint8_t> dense = judged(flags.model, [&] { return nn::predict(network, test).labels; });
  const std::vector<uint8_t> form = judged(flags.model, [&] { return nn::predict(network, test, {.form = 0}).labels; });
  Accuracy accuracy;
  for (size_t i = 0; i < dense.size(); ++i) {
    accuracy.dense += dense[i] == test.labels[i];
    accuracy.form += form[i] == test.labels[i];
    accuracy.agreement += form[i] == dense[i];
  }
  const auto count = static_cast<double>(dense.size());
  return {accuracy.dense / count, accuracy.form / count, accuracy.agreement / count};
}

std::string summary(const Flags& flags, const nn::Network& network, const std::optional<Accuracy>& accuracy) {
  const nn::Forms& forms = *network.forms();
  std::string text = "\n  Time of a row as expected, of the dense network's:";
  for (size_t f = 0; f < forms.count(); ++f) {
    text += format("%s %s %.1f %%", f == 0 ? "" : ",", forms.form(f).name.c_str(), 100 * forms.time(f));
  }
  const Bytes bytes = all_bytes(flags, forms);
  text += format(".\n  D took %s bytes; %s %s.\n", grouped(bytes.before).c_str(),
                 keeps_all_dense(flags, forms) ? "with its factors it now takes" : "its factors now take",
                 grouped(bytes.after).c_str());
  text +=
      "  Behind each rank is its certificate, which bounds what the form changes: a layer's error before activation,\n"
      "  by the norm of its input.\n";
  if (!keeps_all_dense(flags, forms)) {
    text += "  Without D labels come without a guarantee; keep the dense model for those.\n";
  } else if (flags.drop_dense) {
    text += "  --drop-dense left nothing out: some form multiplies D itself in every layer.\n";
  }
  if (accuracy) {
    text += format("\n  test accuracy: dense %.2f %%, %s %.2f %% (%+.2f); %.2f %% of the labels are the same\n",
                   100 * accuracy->dense, forms.form(0).name.c_str(), 100 * accuracy->form,
                   100 * (accuracy->form - accuracy->dense), 100 * accuracy->agreement);
  }
  return text;
}

struct Sets {
  std::optional<nn::Dataset> sample, test;
};

Sets load_sets(const Flags& flags, const nn::Network& network, bool chooses) {
  Sets sets;
  if (flags.data.place.empty()) return sets;
  sets.test = load_data(flags.data, nn::Split::kTest, &network.options());
  keep_apart("--out", flags.out, *sets.test);
  require_fit(flags.model, network, *sets.test);
  if (!chooses) return sets;
  sets.sample = load_data(flags.data, nn::Split::kTrain, &network.options(), kSampleImages);
  keep_apart("--out", flags.out, *sets.sample);
  require_fit(flags.model, network, *sets.sample);
  return sets;
}

void check(const Flags& flags, bool chooses) {
  if (chooses && flags.data.place.empty()) {
    throw UsageError(
        "compress: without --rank, --sigma, --tolerance or --tail a sample of the training images chooses; "
        "give --data, or one of the four");
  }
  prepare_file("--out", flags.out, "model.safetensors");
  if (flags.drop_dense) keep_apart("--out", flags.out, flags.model, "the model itself, with the only D");
}

std::shared_ptr<const nn::Forms> forms_of(const Flags& flags, const nn::Network& network, const Sets& sets,
                                          std::vector<nn::Considered>& considered) {
  StepProgress progress("compressing", flags.json);
  const auto show = [&](int64_t done, int64_t of) {
    progress.show(static_cast<size_t>(done), static_cast<size_t>(of));
  };
  try {
    return judged(flags.model, [&] {
      return nn::compress(network, flags.how, sets.sample.value_or(nn::Dataset()), &considered, show);
    });
  } catch (const Error& error) {
    if (error.status() == IDELTA_TOLERANCE_NOT_MET) throw UsageError(std::string("--tolerance: ") + error.what());
    if (error.status() == IDELTA_INVALID_ARGUMENT) throw FileError(flags.model + ": " + error.what());
    throw;
  }
}

// 0 for a file that is gone already.
int64_t bytes_of_file(const std::string& path) {
  std::error_code gone;
  const auto bytes = std::filesystem::file_size(path, gone);
  return gone ? 0 : static_cast<int64_t>(bytes);
}

std::string as_text(const Flags& flags, const nn::Network& network, const std::vector<nn::Considered>& considered,
                    const std::optional<Accuracy>& accuracy, int64_t bytes_before) {
  Listing listing;
  listing.add("model", flags.model);
  add_network(listing, network.options());
  listing.add("out", format("%s, %s bytes (was %s)", flags.out.c_str(), grouped(bytes_of_file(flags.out)).c_str(),
                            grouped(bytes_before).c_str()));
  return "Compression, layer by layer\n" + listing.text() + "\n" + layer_table(flags, *network.forms()) +
         summary(flags, network, accuracy) + "\n" +
         (flags.explain ? "Considered\n" + considered_table(considered) + "\n" : "");
}

// Of the file that is written, before ranks are chosen: D, unless it is dropped, and the biases.
int64_t least_bytes(const Flags& flags, const nn::Network& network) {
  const int64_t n = network.n();
  return network.layers() * n * (flags.drop_dense ? 1 : n + 1) * int64_t{sizeof(float)};
}

int run(const Flags& given) {
  Flags flags = given;
  flags.how.tail = parse_tail(flags.tail);
  const bool chooses = flags.how == nn::CompressOptions();
  check(flags, chooses);
  const Context context = make_context(flags.machine);
  nn::Network network = load_network(context, flags.model);
  if (!network.has_dense()) {
    throw FileError(flags.model + " has dropped D, of which forms are made; give the dense model it was made from");
  }
  require_room("--out", flags.out, least_bytes(flags, network));
  const int64_t bytes_before = bytes_of_file(flags.model);
  const Sets sets = load_sets(flags, network, chooses);
  std::vector<nn::Considered> considered;
  network.set_forms(forms_of(flags, network, sets, considered));
  std::optional<Accuracy> accuracy;
  if (sets.test) accuracy = compare(flags, network, *sets.test);
  save_or_rescue(flags.out,
                 [&](const std::string& path) { nn::save_model(path, network, {.drop_dense = flags.drop_dense}); });
  if (flags.json) {
    print_json(as_json(flags, network, considered, accuracy));
  } else {
    print(as_text(flags, network, considered, accuracy, bytes_before));
  }
  return kExitOk;
}

}  // namespace

Verb add_compress(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("compress", "low-rank forms of a model: cheaper labels, or a smaller file");
  add_model_argument(*verb, flags->model);
  verb->add_option("--out", flags->out, "the model file to write (safetensors)")->option_text("FILE")->required();
  CLI::Option* const rank =
      verb->add_option("--rank", flags->how.rank, "columns of U in every layer, or what it has; D itself if R is large")
          ->option_text("R")
          ->check(whole_number_from(1));
  CLI::Option* const sigma =
      verb->add_option("--sigma", flags->how.sigma, "keep singular values of D above it, and at least 16 of them")
          ->option_text("S")
          ->check(positive_number());
  CLI::Option* const tolerance =
      verb->add_option("--tolerance", flags->how.tolerance, "the least rank whose certificate is within it")
          ->option_text("T")
          ->check(positive_number());
  verb->add_option("--tail", flags->tail, "keep what the ranks leave of D as integers: int8; alone, D in int8")
      ->option_text("FORMAT");
  sigma->excludes(rank);
  tolerance->excludes(rank)->excludes(sigma);
  add_optional_data_flags(*verb, flags->data);
  verb->add_flag("--drop-dense", flags->drop_dense, "leave D out of the file: smaller, but labels have no guarantee");
  verb->add_flag("--explain", flags->explain, "also what was considered, and why it lost");
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "one JSON object on stdout");
  verb->footer(
      "Without --rank, --sigma, --tolerance and --tail the first 1 000 training images of --data choose:\n"
      "the forms with which labels that are proved to be the dense network's should take the least time.\n"
      "With --data accuracy and equal labels on its test images are shown.\n"
      "\n"
      "Example:\n"
      "  idelta compress model.safetensors --data fashion-mnist --out compressed.safetensors --explain\n"
      "  idelta compress model.safetensors --rank 32 --drop-dense --out small.safetensors\n"
      "  idelta compress model.safetensors --rank 32 --tail int8 --drop-dense --out quarter.safetensors");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
