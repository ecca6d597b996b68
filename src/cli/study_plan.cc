#include "study_plan.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>
#include <type_traits>

#include "files.h"
#include "names.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

namespace fs = std::filesystem;
using nn::StudyLabels;

constexpr char kLabelRandomisation[] = "label-randomisation", kNoControls[] = "none";

// "5,3,2"; of as many entries as there are depths, or of one, which is then that of each. Empty stays empty.
std::vector<std::string> parse_list(const char* option, const std::string& list, size_t depths) {
  std::vector<std::string> entries;
  for (size_t begin = 0; !list.empty() && begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    entries.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  if (entries.size() == 1) entries.resize(depths, entries.front());
  if (!entries.empty() && entries.size() != depths) {
    throw UsageError(format("%s: '%s' has %zu entries for %zu depths; give one for all, or one for each", option,
                            list.c_str(), entries.size(), depths));
  }
  return entries;
}

constexpr uint64_t kMostSeeds = 1000;

template <class Number>
Number parse_number(const char* option, const std::string& text, Number least,
                    Number most = std::numeric_limits<Number>::max()) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stop == end && number >= least && number <= most) return number;
  const std::string limit = most == std::numeric_limits<Number>::max() ? "" : " and at most " + std::to_string(most);
  throw UsageError(std::string(option) + ": '" + text + "' is not a " +
                   (std::is_integral_v<Number> ? "whole number" : "number") + " of at least " +
                   std::to_string(int64_t(least)) + limit + "; separate several by commas");
}

std::vector<int64_t> parse_depths(const std::string& list) {
  const auto entries = static_cast<size_t>(std::count(list.begin(), list.end(), ',') + 1);
  std::vector<int64_t> depths;
  for (const std::string& entry : parse_list("--layers", list, entries)) {
    depths.push_back(parse_number<int64_t>("--layers", entry, 1));
    if (std::count(depths.begin(), depths.end(), depths.back()) > 1) {
      throw UsageError("--layers: " + entry + " stands there twice; name each depth once");
    }
  }
  return depths;
}

Work work_of(const StudyFlags& flags, int64_t layers, StudyLabels labels, const nn::TrainOptions& train) {
  Work work;
  work.name = format("layers%lld_%sseed%llu", (long long)layers, labels == StudyLabels::kShuffled ? "shuffled_" : "",
                     (unsigned long long)train.seed);
  work.model = (fs::path(flags.folder) / (work.name + ".safetensors")).string();
  work.checkpoint = (fs::path(flags.folder) / (work.name + ".checkpoint")).string();
  work.network.file = work.name + ".safetensors";
  work.network.layers = layers;
  work.network.labels = labels;
  work.network.train = train;
  return work;
}

void refuse_other(const Work& work, const std::string& path, const std::string& difference) {
  if (difference.empty()) return;
  throw UsageError(path + " is of other settings than " + work.name + " of this study: " + difference +
                   "; name another folder, or take the file away");
}

// A network that was finished before, if it is the one of the plan; what was measured of it then, if it is still that.
void take_finished(const Context& context, const std::optional<nn::Study>& before, Study& study, Work& work) {
  const nn::Network network = load_network(context, work.model);
  refuse_other(work, work.model,
               nn::difference(nn::settings(network.options()), nn::settings(options_of(study, work))));
  refuse_other(
      work, work.model,
      nn::difference(network.trained_with().settings, nn::finished_settings(work.network.train, study.sets.train)));
  work.is_done = true;
  work.network.parameters_hash = nn::parameters_hash(network);
  for (size_t i = 0; before && i < before->networks.size(); ++i) {
    const nn::StudyNetwork& known = before->networks[i];
    if (known.file == work.network.file && known.parameters_hash == work.network.parameters_hash) work.network = known;
  }
  if (work.network.reports.empty()) {
    work.network.reports = judged(work.model, [&] { return nn::evaluate(network, study.sets.test); }).layers;
  }
}

void look_at_checkpoint(const Study& study, const Work& work) {
  const nn::CheckpointInfo info = read_file([&] { return nn::read_checkpoint(work.checkpoint); });
  refuse_other(work, work.checkpoint,
               nn::difference(nn::settings(info.network), nn::settings(options_of(study, work))));
  nn::Settings wanted = nn::finished_settings(work.network.train, study.sets.train);
  wanted.erase("steps");
  refuse_other(work, work.checkpoint, nn::difference(info.settings, wanted));
}

}  // namespace

std::vector<Work> make_plan(const StudyFlags& flags) {
  if (flags.controls != kLabelRandomisation && flags.controls != kNoControls) {
    throw UsageError("--controls: unknown name '" + flags.controls + "'; use label-randomisation or none");
  }
  const std::vector<int64_t> depths = parse_depths(flags.layers);
  const auto listed = [&](const char* option, const std::string& list) {
    return parse_list(option, list, depths.size());
  };
  const auto seeds = listed("--seeds", flags.seeds), epochs = listed("--epochs", flags.epochs),
             rates = listed("--lr", flags.rates), decay_epochs = listed("--decay-epochs", flags.decay_epochs),
             compute = listed("--compute", flags.compute);
  std::vector<Work> plan;
  for (size_t d = 0; d < depths.size(); ++d) {
    nn::TrainOptions train = flags.training.train;
    const nn::TrainOptions usual = nn::study_defaults(depths[d]);
    train.epochs = epochs.empty() ? usual.epochs : parse_number<int64_t>("--epochs", epochs[d], 1);
    train.decay_epochs = decay_epochs.empty() ? std::min(usual.decay_epochs, train.epochs - 1)
                                              : parse_number<int64_t>("--decay-epochs", decay_epochs[d], 0);
    train.learning_rate = rates.empty() ? usual.learning_rate : parse_number<float>("--lr", rates[d], 0);
    train.compute = compute.empty() ? usual.compute : parse_format(compute[d]);
    const auto count = parse_number<uint64_t>("--seeds", seeds[d], 1, kMostSeeds);
    for (uint64_t seed = 1; seed <= count; ++seed) {
      train.seed = seed;
      plan.push_back(work_of(flags, depths[d], StudyLabels::kTrue, train));
    }
    if (flags.controls == kNoControls) continue;
    train.seed = train.shuffled_labels = 1;
    plan.push_back(work_of(flags, depths[d], StudyLabels::kShuffled, train));
  }
  return plan;
}

bool is_there(const std::string& path) {
  std::error_code unknown;  // which reading or writing tells
  return fs::exists(path, unknown);
}

nn::NetworkOptions options_of(const Study& study, const Work& work) {
  nn::NetworkOptions options = study.results.network;
  options.layers = work.network.layers;
  return options;
}

double units(const Study& study, const Work& work) {
  return double(study.sets.train.count) * double(work.network.train.epochs) * double(work.network.layers);
}

std::string results_path(const StudyFlags& flags) { return (fs::path(flags.folder) / "study.json").string(); }

void prepare(const StudyFlags& flags, const Context& context, Study& study) {
  const std::string results = results_path(flags);
  const std::string table = (fs::path(flags.folder) / "study.csv").string();
  for (const std::string& path : {results, table}) prepare_file("FOLDER", path, "study.json");
  std::optional<nn::Study> before;
  if (is_there(results)) before = read_file([&] { return nn::read_study(results); });
  int64_t bytes = 0;
  for (Work& work : study.plan) {
    if (is_there(work.model)) {
      take_finished(context, before, study, work);
      continue;
    }
    if (is_there(work.checkpoint)) look_at_checkpoint(study, work);
    nn::NetworkOptions options = options_of(study, work);
    require_room("FOLDER", work.checkpoint, checkpoint_bytes(options, work.network.train.optimizer));
    bytes += model_bytes(options);
    study.units_left += units(study, work);
    options.layers = 1;  // what is refused is so at any depth
    nn::Network network = usage_checked([&] { return nn::Network(context, options); });
    usage_checked([&] { return nn::Trainer(network, study.sets.train, work.network.train); });
  }
  require_disk("FOLDER", results, bytes);
}

}  // namespace idelta::cli
