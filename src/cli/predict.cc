// idelta predict: the labels of a set, by the dense network, by one cheaper form, or by several with a proof.
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "files.h"
#include "files/rescue.h"
#include "inputs.h"
#include "output.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  MachineFlags machine;
  DataFlags data;
  std::string model, split = "test", dense, form, guarantee, out;
  bool json = false;
};

// What was asked for, with the network that can give it.
struct Request {
  nn::Network network;
  nn::PredictOptions options;
  std::string form;  // that computes all labels: its name, or "dense"; empty with a guarantee, where several do
};

// A line of the table.
struct FormShare {
  std::string name;
  double multiplications;  // share of the dense network's, in fp32
  double time;             // the same, as expected
  int64_t tried, settled;
};

constexpr const char* kDenseName = "dense";
constexpr const char* kFirst = "first";

nn::Split split_of(const Flags& flags) { return flags.split == "train" ? nn::Split::kTrain : nn::Split::kTest; }

// ---- What was asked for --------------------------------------------------------------------------------------------

void check_flags(const Flags& flags) {
  if (!flags.guarantee.empty() && flags.guarantee != "label") {
    throw UsageError("--guarantee: '" + flags.guarantee + "' is nothing that can be guaranteed; use label");
  }
  if (!flags.guarantee.empty() && !flags.form.empty()) {
    throw UsageError("--form: " + flags.form + " alone proves nothing; leave out --form or --guarantee");
  }
  if (flags.split != "train" && flags.split != "test") {
    throw UsageError("--split: '" + flags.split + "' is no part of a data set; use train or test");
  }
}

bool has_forms(const nn::Network& network) { return network.forms() != nullptr && network.forms()->count() > 0; }

std::string names_of(const nn::Forms& forms) {
  std::string names;
  for (size_t f = 0; f < forms.count(); ++f) names += "'" + forms.form(f).name + "', ";
  return names + "first or dense";
}

// The index of the form that --form names.
int64_t parse_form(const Flags& flags, const nn::Network& network) {
  if (flags.form == kDenseName) return nn::kDense;
  if (!has_forms(network)) {
    throw FileError(flags.model + " has no forms, so --form " + flags.form + " names none; run idelta compress " +
                    flags.model);
  }
  const nn::Forms& forms = *network.forms();
  if (flags.form == kFirst) return 0;
  for (size_t f = 0; f < forms.count(); ++f) {
    if (forms.form(f).name == flags.form) return static_cast<int64_t>(f);
  }
  throw UsageError("--form: '" + flags.form + "' is not a form of " + flags.model + "; use " + names_of(forms));
}

// The dense network of --dense, with the forms of `compressed`.
nn::Network with_dense(const Flags& flags, const nn::Network& compressed) {
  if (compressed.has_dense()) {
    throw UsageError("--dense: " + flags.dense + " is not needed, for " + flags.model + " holds D; leave it out");
  }
  nn::Network dense = load_network(compressed.context(), flags.dense);
  if (!dense.has_dense()) {
    throw FileError("--dense: " + flags.dense + " has dropped D as well; give the model that idelta train wrote");
  }
  try {
    nn::attach_forms(compressed, dense);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw FileError("--dense: " + flags.dense + ": " + error.what());
  }
  return dense;
}

// Every error about what the files lack.
void require_means(const Flags& flags, const nn::Network& network, const nn::PredictOptions& options) {
  if (options.guarantee && !has_forms(network)) {
    throw FileError(flags.model + " has no forms, which --guarantee needs; run idelta compress " + flags.model);
  }
  if (network.has_dense()) return;
  if (options.guarantee) {
    throw FileError(flags.model +
                    " has dropped D, and without it no guarantee is possible; give --dense MODEL, the one that it was "
                    "made of");
  }
  if (options.form == nn::kDense) {
    throw FileError(flags.model +
                    " has dropped D, and with it the dense network; give --form first for labels without a proof, or "
                    "--dense MODEL, the one that it was made of");
  }
}

Request request(const Flags& flags, const Context& context) {
  nn::Network loaded = load_network(context, flags.model);
  Request request{flags.dense.empty() ? std::move(loaded) : with_dense(flags, loaded), {}, ""};
  request.options.guarantee = !flags.guarantee.empty();
  if (!flags.form.empty()) request.options.form = parse_form(flags, request.network);
  require_means(flags, request.network, request.options);
  if (request.options.guarantee) return request;
  request.form = request.options.form == nn::kDense
                     ? kDenseName
                     : request.network.forms()->form(static_cast<size_t>(request.options.form)).name;
  return request;
}

// ---- What came of it -----------------------------------------------------------------------------------------------

double accuracy_of(const nn::Predictions& predictions, const nn::Dataset& data) {
  int64_t right = 0;
  for (size_t i = 0; i < predictions.labels.size(); ++i) right += predictions.labels[i] == data.labels[i] ? 1 : 0;
  return double(right) / double(data.count);
}

// Each form that labels may come from; without a guarantee the one that was asked for.
std::vector<FormShare> shares_of(const Request& request, const nn::Predictions& predictions) {
  const nn::Forms* forms = request.network.forms();
  const auto share = [&](const std::string& name, int64_t f, int64_t tried, int64_t settled) -> FormShare {
    const bool dense = f == nn::kDense || forms == nullptr || f >= static_cast<int64_t>(forms->count());
    if (dense) return {name, 1.0, 1.0, tried, settled};
    const nn::Form& form = forms->form(static_cast<size_t>(f));
    const int64_t n = request.network.n();
    return {name, form.multiplications(n), forms->time(static_cast<size_t>(f)), tried, settled};
  };
  if (!request.options.guarantee) {
    const auto count = static_cast<int64_t>(predictions.labels.size());
    return {share(request.form, request.options.form, count, count)};
  }
  std::vector<FormShare> shares;
  for (size_t f = 0; f < predictions.forms.size(); ++f) {
    shares.push_back(
        share(predictions.forms[f], static_cast<int64_t>(f), predictions.tried[f], predictions.settled[f]));
  }
  return shares;
}

std::string settled_table(const std::vector<FormShare>& shares, int64_t count) {
  Table table({{"settled by", Align::kLeft}, {"time"}, {"rows tried"}, {"rows settled"}, {"share"}});
  for (const FormShare& share : shares) {
    table.add({share.name, format("%.1f %%", 100 * share.time), grouped(share.tried), grouped(share.settled),
               format("%.2f %%", 100 * double(share.settled) / double(count))});
  }
  return table.text();
}

std::string proved(const Request& request, int64_t count) {
  if (request.options.guarantee) {
    return format(
        "  Proved: each of the %s labels is the one that the dense F32 network computes. A form settles a row where\n"
        "  the margin of its label exceeds a bound on all that it may err; other rows go on to a slower form, at last "
        "to\n"
        "  the dense network.\n",
        grouped(count).c_str());
  }
  if (request.options.form == nn::kDense) return "  These are the labels of the dense F32 network itself.\n";
  return "  UNPROVED: labels of form '" + request.form +
         "' alone, which may differ from those of the dense F32 network;\n  --guarantee label proves that they do "
         "not.\n";
}

// What a cell of CSV needs where it holds a comma or a quote.
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

// Names of classes stand beside their numbers where the model has them.
std::string csv_of(const Request& request, const nn::Predictions& predictions, const nn::Dataset& data) {
  const bool bounds = request.options.guarantee;
  const std::vector<std::string>& names = request.network.options().class_names;
  std::string text = std::string("index,label,true_label") + (names.empty() ? "" : ",label_name,true_label_name") +
                     (bounds ? ",margin,bound,settled_by\n" : "\n");
  for (size_t i = 0; i < predictions.labels.size(); ++i) {
    text += format("%zu,%d,%d", i, int(predictions.labels[i]), int(data.labels[i]));
    for (const auto label : {int(predictions.labels[i]), int(data.labels[i])}) {
      if (!names.empty()) text += "," + csv_cell(names[static_cast<size_t>(label)]);
    }
    if (bounds) {
      text += format(",%.9g,%.9g,", double(predictions.margins[i]), double(predictions.bounds[i])) +
              csv_cell(predictions.forms[predictions.settled_by[i]]);
    }
    text += '\n';
  }
  return text;
}

// Of the file, before the labels are known: labels, margins and bounds of one digit.
int64_t least_bytes(const Request& request, const nn::Dataset& data) {
  const auto count = static_cast<size_t>(data.count);
  nn::Predictions least;
  least.labels.resize(count), least.margins.resize(count), least.bounds.resize(count), least.settled_by.resize(count);
  least.forms = {""};
  return static_cast<int64_t>(csv_of(request, least, data).size());
}

Json as_json(const Flags& flags, const Request& request, const nn::Predictions& predictions, const nn::Dataset& data) {
  Json settled = Json::array();
  for (const FormShare& share : shares_of(request, predictions)) {
    settled.push_back({{"form", share.name},
                       {"multiplications", share.multiplications},
                       {"time", share.time},
                       {"tried", share.tried},
                       {"settled", share.settled}});
  }
  const Context& context = request.network.context();
  Json document = {{"verb", "predict"},
                   {"model", flags.model},
                   {"data", flags.data.place},
                   {"split", flags.split},
                   {"images", data.count},
                   {"isa", idelta_isa_name(context.isa())},
                   {"threads", context.threads()},
                   {"guarantee", request.options.guarantee ? Json("label") : Json(nullptr)},
                   {"accuracy", accuracy_of(predictions, data)},
                   {"rows_per_second", double(data.count) / predictions.seconds},
                   {"settled_by", settled}};
  if (!flags.out.empty()) document["out"] = flags.out;
  document["labels"] = predictions.labels;
  return document;
}

std::string as_text(const Flags& flags, const Request& request, const nn::Predictions& predictions,
                    const nn::Dataset& data) {
  Listing listing;
  listing.add("model", flags.model);
  if (!flags.dense.empty()) listing.add("dense", flags.dense);
  add_network(listing, request.network.options());
  add_data(listing, data, split_of(flags));
  listing.add("run", describe(request.network.context()));
  std::string text = "Labels\n" + listing.text() + "\n" + settled_table(shares_of(request, predictions), data.count) +
                     "\n" + proved(request, data.count) +
                     format(
                         "\n  accuracy %.2f %%, %s images a second: the passes over the set alone, after one over "
                         "its first batch\n\n",
                         100 * accuracy_of(predictions, data),
                         grouped(std::llround(double(data.count) / predictions.seconds)).c_str());
  if (!flags.out.empty()) text += "  wrote " + flags.out + "\n\n";
  return text;
}

int run(const Flags& flags) {
  check_flags(flags);
  if (!flags.out.empty()) {
    keep_apart("--out", flags.out, flags.model, "the model itself");
    keep_apart("--out", flags.out, flags.dense, "the dense model");
    prepare_file("--out", flags.out, "labels.csv");
  }
  const Context context = make_context(flags.machine);
  const Request asked = request(flags, context);
  const nn::Dataset data = load_data(flags.data, split_of(flags), &asked.network.options());
  require_fit(flags.model, asked.network, data);
  if (!flags.out.empty()) {
    keep_apart("--out", flags.out, data);
    require_room("--out", flags.out, least_bytes(asked, data));
  }
  const auto labels_of = [&](const nn::Dataset& set) {
    return judged(flags.model, [&] { return nn::predict(asked.network, set, asked.options); });
  };
  // Untimed: memory is touched for the first time, and threads wake up.
  labels_of(nn::head(data, asked.options.batch));
  const nn::Predictions predictions = labels_of(data);
  if (!flags.out.empty()) {
    save_or_rescue(flags.out,
                   [csv = csv_of(asked, predictions, data)](const auto& path) { files::write_text(path, csv); });
  }
  if (flags.json) {
    print_json(as_json(flags, asked, predictions, data));
  } else {
    print(as_text(flags, asked, predictions, data));
  }
  return kExitOk;
}

}  // namespace

Verb add_predict(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("predict", "labels of a set; with --guarantee provably the dense network's");
  add_model_argument(*verb, flags->model);
  add_data_flags(*verb, flags->data);
  verb->add_option("--split", flags->split, "train or test")->option_text("NAME [test]");
  verb->add_option("--guarantee", flags->guarantee, "labels proved to be the dense network's; needs idelta compress")
      ->option_text("label");
  verb->add_option("--form", flags->form, "labels of this form alone, unproved: its name, first, or dense")
      ->option_text("NAME [dense]");
  verb->add_option("--dense", flags->dense, "the model that a compressed one, which has dropped D, was made of")
      ->option_text("FILE");
  verb->add_option("--out", flags->out, "a CSV file of labels, and of margins and bounds that prove them")
      ->option_text("FILE");
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "one JSON object on stdout");
  verb->footer(
      "Example:\n"
      "  idelta predict model.safetensors --data fashion-mnist --out labels.csv\n"
      "  idelta predict compressed.safetensors --data fashion-mnist --guarantee label");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
