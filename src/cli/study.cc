// idelta study: several networks a depth, each in a file of its own, and what they have in common. What is done stays
// done: the same command goes on after a break.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "files.h"
#include "inputs.h"
#include "interrupt.h"
#include "names.h"
#include "output.h"
#include "progress.h"
#include "study_plan.h"
#include "table.h"
#include "training.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using nn::StudyLabels;

constexpr double kCheckpointSeconds = 60;

void write_results(const StudyFlags& flags, Study& study) {
  study.results.networks.clear();
  for (const Work& work : study.plan) {
    if (work.is_done) study.results.networks.push_back(work.network);
  }
  save_or_rescue(results_path(flags), [&](const std::string& path) {
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
bool train(const StudyFlags& flags, const Context& context, const InterruptGuard& interrupt, Study& study, Work& work,
           Pace& pace) {
  nn::Network network(context, options_of(study, work));
  const bool resumes = is_there(work.checkpoint);
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
  const auto evaluation = nn::evaluate_unless([&] { return interrupt.signal() != 0; }, network, study.sets.test);
  if (!evaluation) {
    checkpoints.save(trainer);
    return false;
  }
  work.network.reports = evaluation->layers;
  work.network.seconds = trainer.seconds();
  work.network.parameters_hash = nn::parameters_hash(network);
  save_or_rescue(work.model, [&](const std::string& path) { nn::save_model(path, network); });
  work.is_done = true;
  std::error_code ignored;  // a checkpoint that stays is not looked at again
  fs::remove(work.checkpoint, ignored);
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
  for (const nn::StudyBands& bands : nn::summarise(study.results)) {
    const nn::Spread& test = bands.test_accuracy;
    table.add({format("%lld", (long long)bands.layers), bands.labels == StudyLabels::kTrue ? "true" : "permuted",
               format("%lld", (long long)bands.networks), percent(test.mean), format("%.2f", 100 * test.deviation),
               percent(test.least), percent(test.most),
               bands.rises         ? "in all"
               : bands.hidden_rise ? "in all, but for the last layer"
                                   : "not in all",
               format("%.3f", bands.largest_hidden_norm), format("%.3f", bands.largest_inner_norm),
               duration(bands.seconds.mean)});
  }
  return "\n" + table.text() +
         "\n"
         "  ± is the standard deviation over the seeds. Accuracy rises if each layer's is at least its predecessor's\n"
         "  less a point. ‖D‖₂ is the largest of all networks and layers but the last.\n\n";
}

Json as_json(const StudyFlags& flags, const Study& study, bool interrupted) {
  Json bands = Json::array();
  for (const nn::StudyBands& b : nn::summarise(study.results)) {
    bands.push_back({{"layers", b.layers},
                     {"labels", b.labels == StudyLabels::kTrue ? "true" : "shuffled"},
                     {"networks", b.networks},
                     {"mean_test_accuracy", b.test_accuracy.mean},
                     {"deviation", b.test_accuracy.deviation},
                     {"rises", b.rises},
                     {"hidden_rise", b.hidden_rise},
                     {"largest_hidden_norm", b.largest_hidden_norm},
                     {"largest_inner_norm", b.largest_inner_norm}});
  }
  return {{"verb", "study"},
          {"folder", flags.folder},
          {"networks", study.plan.size()},
          {"done", study.results.networks.size()},
          {"interrupted", interrupted},
          {"bands", std::move(bands)}};
}

std::string heading(const StudyFlags& flags, const Context& context, const Study& study) {
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

std::string command_of(char** argv) {
  std::string text = "idelta";
  for (char** word = argv + 1; *word; ++word) text += " " + shell_word(*word);
  return text;
}

int run(const StudyFlags& given, char** argv) {
  StudyFlags flags = given;
  settle(flags.training);
  Study study;
  study.plan = make_plan(flags);
  prepare_folder("FOLDER", flags.folder);
  const Context context = make_context(flags.machine);
  const int64_t limit = flags.training.limit;
  study.sets = load_sets(flags.training.data, limit > 0 ? limit : nn::kAllImages);
  study.results.data = flags.training.data.place;
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

void add_depth_flags(CLI::App& verb, StudyFlags& flags) {
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
  auto flags = std::make_shared<StudyFlags>();
  CLI::App* verb = app.add_subcommand("study", "several networks a depth: what holds for every seed");
  verb->add_option("folder,--folder", flags->folder, "where models and study.json go; what is done there is kept")
      ->option_text("FOLDER")
      ->required();
  add_data_flags(*verb, flags->training.data);
  add_scale_flag(*verb, flags->training.data);
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
