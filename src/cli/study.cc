// idelta study: several networks a depth, each in a file of its own, and what they have in common. What is done stays
// done: the same command goes on after a break.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "files.h"
#include "inputs.h"
#include "interrupt.h"
#include "names.h"
#include "output.h"
#include "progress.h"
#include "table.h"
#include "training.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using nn::StudyLabels;

struct Flags {
  MachineFlags machine;
  TrainingFlags training;
  std::string folder, layers = "10,30,100", seeds = "3", epochs, rates, decay_epochs, compute;
  std::string controls = "label-randomisation";
  bool json = false, quiet = false;
};

constexpr double kCheckpointSeconds = 60;
constexpr char kLabelRandomisation[] = "label-randomisation", kNoControls[] = "none";

// A network of the plan, and its files.
struct Work {
  nn::StudyNetwork network;
  std::string name, model, checkpoint;
  bool is_done = false;
};

struct Study {
  nn::Study results;  // of what is done
  std::vector<Work> plan;
  Sets sets;
  double units_left = 0;  // of training: images x epochs x layers
};

// ---- The plan ------------------------------------------------------------------------------------------------------

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

template <class Number>
Number parse_number(const char* option, const std::string& text, Number least) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && stop == text.data() + text.size() && number >= least &&
      number <= std::numeric_limits<Number>::max()) {
    return number;
  }
  throw UsageError(std::string(option) + ": '" + text + "' is not a number of at least " +
                   short_number(static_cast<float>(least)) + "; separate several by commas");
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

Work work_of(const Flags& flags, int64_t layers, StudyLabels labels, const nn::TrainOptions& train) {
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

// Depth by depth: every seed, then the control.
std::vector<Work> make_plan(const Flags& flags) {
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
    const auto count = parse_number<uint64_t>("--seeds", seeds[d], 1);
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

nn::NetworkOptions options_of(const Study& study, const Work& work) {
  nn::NetworkOptions options = study.results.network;
  options.layers = work.network.layers;
  return options;
}

// ---- What is there already -----------------------------------------------------------------------------------------

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
  nn::Settings wanted = nn::finished_settings(work.network.train, study.sets.train);
  wanted.erase("data");  // the same images may have moved
  refuse_other(work, work.model, nn::difference(network.trained_with().settings, wanted));
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
  refuse_other(work, work.checkpoint, nn::difference(nn::settings(info.train), nn::settings(work.network.train)));
}

double units(const Study& study, const Work& work) {
  return double(study.sets.train.count) * double(work.network.train.epochs) * double(work.network.layers);
}

// Everything that can be wrong with options, data and files is found here.
void prepare(const Flags& flags, const Context& context, Study& study) {
  const std::string results = (fs::path(flags.folder) / "study.json").string();
  const std::string table = (fs::path(flags.folder) / "study.csv").string();
  for (const std::string& path : {results, table}) prepare_file("FOLDER", path, "study.json");
  std::optional<nn::Study> before;
  if (fs::exists(results)) before = read_file([&] { return nn::read_study(results); });
  int64_t bytes = 0;
  for (Work& work : study.plan) {
    if (fs::exists(work.model)) {
      take_finished(context, before, study, work);
      continue;
    }
    if (fs::exists(work.checkpoint)) look_at_checkpoint(study, work);
    nn::NetworkOptions options = options_of(study, work);
    bytes = bytes + model_bytes(options);
    study.units_left += units(study, work);
    options.layers = 1;  // what is refused is so at any depth
    nn::Network network = usage_checked([&] { return nn::Network(context, options); });
    usage_checked([&] { return nn::Trainer(network, study.sets.train, work.network.train); });
  }
  if (bytes > 0) require_room("FOLDER", results, bytes);
}

// ---- The work ------------------------------------------------------------------------------------------------------

void write_results(const Flags& flags, Study& study) {
  study.results.networks.clear();
  for (const Work& work : study.plan) {
    if (work.is_done) study.results.networks.push_back(work.network);
  }
  save_or_rescue((fs::path(flags.folder) / "study.json").string(), [&](const std::string& path) {
    nn::write_study(fs::path(path).parent_path().string(), study.results);
  });
}

// Training time of the whole study, guessed from the pace so far.
class Pace {
 public:
  explicit Pace(double units_left) : units_left_(units_left) {}

  void begin(double units, double done_before) { units_ = units, done_before_ = done_before; }
  // Of the network at work, of which `share` is done.
  double seconds_left(double share) const {
    const double now = units_ * (share - done_before_);
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return now + units_done_ > 0 ? (units_left_ - units_ * share) * seconds / (now + units_done_) : HUGE_VAL;
  }
  void end() { units_done_ += units_ * (1 - done_before_), units_left_ -= units_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  double units_left_, units_done_ = 0, units_ = 0, done_before_ = 0;
};

// One network: true if it is finished and saved, false if a signal came first and its checkpoint is saved.
bool train(const Flags& flags, const Context& context, const InterruptGuard& interrupt, Study& study, Work& work,
           Pace& pace) {
  nn::Network network(context, options_of(study, work));
  const bool resumes = fs::exists(work.checkpoint);
  nn::Trainer trainer = resumes
                            ? read_file([&] { return nn::Trainer::resume(network, study.sets.train, work.checkpoint); })
                            : nn::Trainer(network, study.sets.train, work.network.train);
  Checkpoints checkpoints(work.checkpoint, kCheckpointSeconds);
  TrainingProgress progress(flags.quiet, work.name + "  ");
  bool is_first = true;
  const bool finished = trainer.run([&](nn::Progress p) {
    const double batches = double(p.batches);
    const double share = (double(p.epoch) + double(p.batch) / batches) / double(p.epochs);
    if (std::exchange(is_first, false)) pace.begin(units(study, work), share - 1 / batches / double(p.epochs));
    p.seconds_left = pace.seconds_left(share);
    progress.show(p);
    checkpoints.after_batch(trainer, p);
    return interrupt.signal() == 0;
  });
  if (!finished) {
    checkpoints.save(trainer);
    return false;
  }
  pace.end();
  network.set_compute(IDELTA_FORMAT_F32);
  work.network.reports = nn::evaluate(network, study.sets.test).layers;
  work.network.seconds = trainer.seconds();
  work.network.parameters_hash = nn::parameters_hash(network);
  save_or_rescue(work.model, [&](const std::string& path) { nn::save_model(path, network); });
  work.is_done = true;
  fs::remove(work.checkpoint);
  return true;
}

// Says what the networks have in common, as far as they are done.
std::string summary(const Study& study) {
  Table table({{"layers"},
               {"labels", Align::kLeft},
               {"networks"},
               {"test accuracy"},
               {"±"},
               {"least"},
               {"most"},
               {"rises", Align::kLeft},
               {"‖D‖₂, hidden"},
               {"without the first"},
               {"time of one"}});
  const auto percent = [](double share) { return format("%.2f %%", 100 * share); };
  for (const int64_t layers : nn::depths(study.results)) {
    for (const StudyLabels labels : {StudyLabels::kTrue, StudyLabels::kShuffled}) {
      const nn::StudyBands bands = nn::summarise(study.results, layers, labels);
      if (bands.networks == 0) continue;
      const nn::Spread& test = bands.test_accuracy;
      table.add({format("%lld", (long long)layers), labels == StudyLabels::kTrue ? "true" : "permuted",
                 format("%lld", (long long)bands.networks), percent(test.mean), format("%.2f", 100 * test.deviation),
                 percent(test.least), percent(test.most),
                 bands.rises         ? "in all"
                 : bands.hidden_rise ? "in all, but for the last layer"
                                     : "not in all",
                 format("%.3f", bands.largest_hidden_norm), format("%.3f", bands.largest_inner_norm),
                 duration(bands.seconds.mean)});
    }
  }
  return "\n" + table.text() +
         "\n"
         "  ± is the standard deviation over the seeds. Accuracy rises if each layer's is at least its predecessor's\n"
         "  less a point. ‖D‖₂ is the largest of all networks and layers but the last.\n\n";
}

Json as_json(const Flags& flags, const Study& study, bool interrupted) {
  Json bands = Json::array();
  for (const int64_t layers : nn::depths(study.results)) {
    for (const StudyLabels labels : {StudyLabels::kTrue, StudyLabels::kShuffled}) {
      const nn::StudyBands b = nn::summarise(study.results, layers, labels);
      if (b.networks == 0) continue;
      bands.push_back({{"layers", layers},
                       {"labels", labels == StudyLabels::kTrue ? "true" : "shuffled"},
                       {"networks", b.networks},
                       {"mean_test_accuracy", b.test_accuracy.mean},
                       {"deviation", b.test_accuracy.deviation},
                       {"rises", b.rises},
                       {"hidden_rise", b.hidden_rise},
                       {"largest_hidden_norm", b.largest_hidden_norm},
                       {"largest_inner_norm", b.largest_inner_norm}});
    }
  }
  return {{"verb", "study"},
          {"folder", flags.folder},
          {"networks", study.plan.size()},
          {"done", study.results.networks.size()},
          {"interrupted", interrupted},
          {"bands", std::move(bands)}};
}

std::string heading(const Flags& flags, const Context& context, const Study& study) {
  const auto done = std::count_if(study.plan.begin(), study.plan.end(), [](const Work& work) { return work.is_done; });
  Listing listing;
  listing.add("data", describe(study.sets.train, nn::Split::kTrain));
  listing.add("network", format("%s layers, %s, class padding %s", flags.layers.c_str(),
                                activation_name(study.results.network.activation).c_str(),
                                short_number(study.results.network.class_padding).c_str()));
  listing.add("networks", format("%zu, of which %lld are done", study.plan.size(), (long long)done));
  listing.add("run", describe(context));
  return "Study\n" + listing.text() + "\n";
}

// The words of the command as a shell reads them.
std::string command_of(char** argv) {
  std::string text = "idelta";
  for (char** word = argv + 1; *word; ++word) {
    const std::string plain = *word;
    const bool quoted = plain.empty() || plain.find_first_of(" '\"\\$&;|<>()*?`~#!") != std::string::npos;
    std::string escaped;
    for (const char c : plain) escaped += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += quoted ? " '" + escaped + "'" : " " + plain;
  }
  return text;
}

int run(const Flags& given, char** argv) {
  Flags flags = given;
  settle(flags.training);
  Study study;
  study.plan = make_plan(flags);
  prepare_folder("FOLDER", flags.folder);
  const Context context = make_context(flags.machine);
  const int64_t limit = flags.training.limit;
  study.sets = load_sets(flags.training.data, limit > 0 ? limit : nn::kAllImages);
  study.results.data = flags.training.data;
  study.results.training_images = study.sets.train.count;
  study.results.test_images = study.sets.test.count;
  study.results.network = network_options(flags.training, study.sets);
  prepare(flags, context, study);
  if (!flags.json) print(heading(flags, context, study));

  int signal = 0;
  {
    const InterruptGuard interrupt;
    Pace pace(study.units_left);
    for (Work& work : study.plan) {
      if (work.is_done) continue;
      if (signal = interrupt.signal(); signal != 0) break;
      if (train(flags, context, interrupt, study, work, pace)) {
        write_results(flags, study);
      } else {
        signal = interrupt.signal();
        break;
      }
    }
    write_results(flags, study);
  }
  if (flags.json) {
    print_json(as_json(flags, study, signal != 0));
  } else if (!study.results.networks.empty()) {
    print(summary(study));
  }
  if (signal == 0) return kExitOk;
  std::fprintf(stderr, "idelta: interrupted after %zu of %zu networks; the same command goes on: %s\n",
               study.results.networks.size(), study.plan.size(), command_of(argv).c_str());
  return kSignalled + signal;
}

void add_depth_flags(CLI::App& verb, Flags& flags) {
  verb.add_option("--layers", flags.layers, "depths, separated by commas")->option_text("N,.. [10,30,100]");
  verb.add_option("--seeds", flags.seeds, "networks of each depth: seeds 1, 2, ..")->option_text("N,.. [3]");
  verb.add_option("--epochs", flags.epochs, "passes over the training set")->option_text("N,..");
  verb.add_option("--lr", flags.rates, "learning rates")->option_text("X,..");
  verb.add_option("--decay-epochs", flags.decay_epochs, "last epochs with a tenth of the rate")->option_text("N,..");
  verb.add_option("--compute", flags.compute, "formats of x D and dz D^T: " + training_format_names())
      ->option_text("NAME,..");
  verb.add_option("--controls", flags.controls,
                  "label-randomisation: one more network a depth, on permuted labels; none")
      ->option_text("NAME [label-randomisation]");
}

}  // namespace

Verb add_study(CLI::App& app, char** argv) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("study", "several networks a depth: what holds for every seed");
  verb->add_option("folder,--folder", flags->folder, "where models and study.json go; what is done there is kept")
      ->option_text("FOLDER")
      ->required();
  add_data_flag(*verb, flags->training.data);
  add_depth_flags(*verb, *flags);
  add_network_flags(*verb, flags->training);
  add_step_flags(*verb, flags->training);
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "one JSON object on stdout at the end");
  verb->add_flag("--quiet", flags->quiet, "no progress on stderr");
  verb->footer(
      "One entry of a list is for every depth, else there is one for each. Without --epochs, --lr, --decay-epochs and\n"
      "--compute a depth gets what was found good for it on Fashion-MNIST.\n"
      "\n"
      "Example:\n"
      "  idelta study folder --data fashion-mnist --layers 10,30,100 --seeds 5,3,2\n"
      "  idelta study small --data fashion-mnist --layers 5,10 --seeds 3 --epochs 2 --limit 10000");
  return {verb, [flags, argv] { return run(*flags, argv); }};
}

}  // namespace idelta::cli
