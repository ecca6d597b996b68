// idelta train: the identity network from D = 0, trained, saved, tested. A signal saves what there is; with a
// checkpoint the run can go on from there.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "files.h"
#include "files/rescue.h"
#include "inputs.h"
#include "interrupt.h"
#include "names.h"
#include "output.h"
#include "progress.h"
#include "table.h"
#include "train_command.h"
#include "training.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Flags {
  MachineFlags machine;
  TrainingFlags training;
  std::string out, compute = "f32", checkpoint, resume;
  double checkpoint_every = Checkpoints::kEachEpoch;
  int64_t eval_every = 0;
  bool json = false, quiet = false;
};

// What the run came to.
struct Outcome {
  nn::Progress last;  // of the last batch
  double seconds = 0;
  int64_t images = 0;
  int signal = 0;  // that stopped it; 0: ran to its end

  double images_per_second() const { return seconds > 0 ? double(images) / seconds : 0; }
};

// What was asked for, and what does the work if that is something else here.
std::string compute_text(const nn::Network& network) {
  const idelta_format runs = network.packed(0).info().format;
  const std::string asked = idelta_format_name(network.compute());
  return runs == network.compute() ? asked : asked + ", for which " + idelta_format_name(runs) + " stands in here";
}

std::string settings_text(const Flags& flags, const nn::Network& network, const Sets& sets) {
  const nn::TrainOptions& t = flags.training.train;
  const int64_t layers = network.layers();
  std::string rate = short_number(nn::effective_learning_rate(t, layers, 0));
  if (t.learning_rate == 0) rate += format(" (0.03 / %lld layers)", (long long)layers);
  if (t.decay_epochs > 0) rate += format(", a tenth of it in the last %lld epochs", (long long)t.decay_epochs);
  std::string optimizer = idelta_optimizer_name(t.optimizer);
  if (t.optimizer != IDELTA_OPTIMIZER_SGD) {
    optimizer += (t.optimizer == IDELTA_OPTIMIZER_ADAMW ? ", beta1 " : " ") + short_number(t.momentum);
  }
  if (t.layer_loss != 0) optimizer += ", loss of each hidden layer x " + short_number(t.layer_loss);
  if (t.weight_decay != 0) optimizer += ", weight decay " + short_number(t.weight_decay) + " on D";

  Listing listing;
  listing.add("data", describe(sets.train, nn::Split::kTrain));
  add_network(listing, network.options());
  if (t.compute != IDELTA_FORMAT_F32) listing.add("compute", compute_text(network));
  if (t.shuffled_labels != 0) {
    listing.add("labels", format("permuted by seed %llu: a control", (unsigned long long)t.shuffled_labels));
  }
  if (!flags.resume.empty()) listing.add("resumed from", flags.resume);
  listing.add("optimiser", optimizer + ", learning rate " + rate);
  listing.add("run", format("%lld %s, batch %lld, seed %llu, ", (long long)t.epochs, t.epochs == 1 ? "epoch" : "epochs",
                            (long long)t.batch, (unsigned long long)t.seed) +
                         describe(network.context()));
  return listing.text();
}

// On the test set; empty if a signal came meanwhile. Parameters that training left finite may still be too large for an
// image that it did not see.
std::optional<double> test_accuracy(const Flags& flags, const nn::Network& network, const Sets& sets, int64_t epoch,
                                    const InterruptGuard& interrupt) {
  try {
    return nn::accuracy_unless([&] { return interrupt.signal() != 0; }, network, sets.test);
  } catch (const nn::NotFinite& error) {
    throw std::runtime_error(
        format("train: after epoch %lld at learning rate %s: %s", (long long)(epoch + 1),
               short_number(nn::effective_learning_rate(flags.training.train, network.layers(), epoch)).c_str(),
               error.what()));
  }
}

// Runs to the end or to the first signal; between epochs, if asked, says how the test set fares.
Outcome train(const Flags& flags, nn::Trainer& trainer, const nn::Network& network, const Sets& sets,
              const InterruptGuard& interrupt) {
  TrainingProgress progress(flags.quiet);
  Checkpoints checkpoints(flags.checkpoint, flags.checkpoint_every);
  Outcome outcome;
  outcome.last = trainer.progress();
  bool test_now = false;
  const auto observe = [&](const nn::Progress& p) {
    outcome.last = p;
    outcome.images +=
        std::min(flags.training.train.batch, sets.train.count - (p.batch - 1) * flags.training.train.batch);
    progress.show(p);
    checkpoints.after_batch(trainer, p);
    const bool more_epochs = p.epoch + 1 < p.epochs;
    test_now = p.batch == p.batches && more_epochs && flags.eval_every > 0 && (p.epoch + 1) % flags.eval_every == 0;
    return !test_now && interrupt.signal() == 0;
  };
  for (;;) {
    const auto began = Clock::now();
    const bool finished = trainer.run(observe);
    outcome.seconds += std::chrono::duration<double>(Clock::now() - began).count();
    outcome.signal = finished ? 0 : interrupt.signal();
    if (outcome.signal != 0) checkpoints.save(trainer);
    if (finished || outcome.signal != 0) return outcome;
    if (!test_now) throw std::logic_error("Trainer::run stopped although nobody asked it to");
    if (flags.json) continue;
    const std::optional<double> accuracy = test_accuracy(flags, network, sets, outcome.last.epoch, interrupt);
    outcome.signal = interrupt.signal();
    if (!accuracy) {
      checkpoints.save(trainer);
      return outcome;
    }
    print(format("after epoch %lld: test accuracy %.2f %%\n", (long long)(outcome.last.epoch + 1), 100 * *accuracy));
  }
}

Json settings_json(const Flags& flags, const nn::NetworkOptions& n, const Sets& sets, const Context& context) {
  const nn::TrainOptions& t = flags.training.train;
  return {{"data", flags.training.data.place},
          {"training_images", sets.train.count},
          {"layers", n.layers},
          {"n", n.n()},
          {"classes", n.classes},
          {"activation", activation_name(n.activation)},
          {"identity_scale", n.identity_scale},
          {"class_padding", n.class_padding},
          {"epochs", t.epochs},
          {"batch", t.batch},
          {"learning_rate", nn::effective_learning_rate(t, n.layers, 0)},
          {"decay_epochs", t.decay_epochs},
          {"compute", idelta_format_name(t.compute)},
          {"optimizer", idelta_optimizer_name(t.optimizer)},
          {"momentum", t.momentum},
          {"weight_decay", t.weight_decay},
          {"layer_loss", t.layer_loss},
          {"shuffled_labels", t.shuffled_labels},
          {"seed", t.seed},
          {"isa", idelta_isa_name(context.isa())},
          {"threads", context.threads()}};
}

Json outcome_json(const Outcome& outcome, const std::string& out) {
  return {{"model", out},
          {"interrupted", outcome.signal != 0},
          {"epochs_done", outcome.last.epoch + (outcome.last.batch == outcome.last.batches ? 1 : 0)},
          {"batches_of_epoch", outcome.last.batches},
          {"last_batch", outcome.last.batch},
          {"train_loss", outcome.last.loss},
          {"train_accuracy", outcome.last.accuracy},
          {"train_seconds", outcome.seconds},
          {"images_per_second", outcome.images_per_second()}};
}

// The end of an interrupted run: what was saved, and the exit code shells expect.
int interrupted(const Flags& flags, const Outcome& outcome, const Json& document) {
  const nn::Progress& p = outcome.last;
  const bool trained = p.epoch + 1 == p.epochs && p.batch == p.batches;
  const std::string where =
      trained ? "after the last epoch; the model is saved: "
              : format("in epoch %lld of %lld after batch %lld of %lld; the model so far is saved: ",
                       (long long)(p.epoch + 1), (long long)p.epochs, (long long)p.batch, (long long)p.batches);
  std::fprintf(stderr, "idelta: interrupted %s%s\n", where.c_str(), flags.out.c_str());
  if (!flags.checkpoint.empty() && !trained) {
    std::fprintf(stderr, "idelta: go on with: idelta train --resume %s --data %s --out %s\n",
                 shell_word(flags.checkpoint).c_str(), shell_word(flags.training.data.place).c_str(),
                 shell_word(flags.out).c_str());
  }
  if (flags.json) print_json(document);
  return kSignalled + outcome.signal;
}

// The same file, also where neither is there yet.
void keep_apart_from_out(const std::string& option, const std::string& path, const std::string& out) {
  std::error_code unknown;
  if (fs::weakly_canonical(path, unknown) != fs::weakly_canonical(out, unknown)) return;
  throw UsageError(option + ": " + path + " is the --out file too; name another");
}

// Takes over from the checkpoint what the command line leaves out, and refuses what it says otherwise: a run that goes
// on with other options is not the one that was interrupted.
void take_over(Flags& flags, const CLI::App& verb) {
  const nn::CheckpointInfo info = read_file([&] { return nn::read_checkpoint(flags.resume); });
  TrainingFlags& training = flags.training;
  const nn::Settings asked = all_settings(training.network, training.train);
  const nn::Settings was = all_settings(info.network, info.train);
  for (const auto& [flag, setting] : kFlagsOfSettings) {
    if (verb.get_option(flag)->count() == 0 || asked.at(setting) == was.at(setting)) continue;
    throw UsageError(std::string(flag) + ": " + setting + " is " + asked.at(setting) + " here, but " + was.at(setting) +
                     " in " + flags.resume + "; leave the option out, or train anew without --resume");
  }
  training.network = info.network;
  training.train = info.train;
  if (training.limit == 0) training.limit = info.images;
  if (flags.checkpoint.empty()) flags.checkpoint = flags.resume;
}

void warn_of(const std::vector<std::string>& sentences) {
  for (const std::string& sentence : sentences) warn(sentence);
}

std::string summary(const Flags& flags, const Outcome& outcome, const Sets& sets, double accuracy) {
  Listing listing;
  listing.add("trained",
              format("%s images in %s, %s images/s", grouped(outcome.images).c_str(), duration(outcome.seconds).c_str(),
                     grouped(std::llround(outcome.images_per_second())).c_str()));
  listing.add("test accuracy", format("%.2f %% of %s images", 100 * accuracy, grouped(sets.test.count).c_str()));
  listing.add("model", flags.out);
  return "\n" + listing.text() + "\n";
}

// Everything that can be wrong is found here, before the work.
void check_outputs(const Flags& flags, const nn::NetworkOptions& options, const Sets& sets) {
  const nn::TrainOptions& train = flags.training.train;
  for (const nn::Dataset* set : {&sets.train, &sets.test}) {
    keep_apart("--out", flags.out, *set);
    if (!flags.checkpoint.empty()) keep_apart("--checkpoint", flags.checkpoint, *set);
  }
  require_room("--out", flags.out, model_bytes(options));
  if (flags.checkpoint.empty()) return;
  require_room("--checkpoint", flags.checkpoint, checkpoint_bytes(options, train.optimizer));
}

nn::Trainer make_trainer(const Flags& flags, nn::Network& network, const Sets& sets) {
  if (flags.resume.empty()) {
    return usage_checked([&] { return nn::Trainer(network, sets.train, flags.training.train); });
  }
  return read_file([&] { return nn::Trainer::resume(network, sets.train, flags.resume); });
}

// Options as they will be used: names understood, and those of a checkpoint.
Flags settled(const Flags& given, const CLI::App& verb) {
  Flags flags = given;
  settle(flags.training);
  flags.training.train.compute = parse_format(flags.compute);
  if (verb.get_option("--checkpoint-every")->count() > 0 && flags.checkpoint.empty() && flags.resume.empty()) {
    throw UsageError("--checkpoint-every: there is no checkpoint; name its file with --checkpoint");
  }
  if (!flags.resume.empty()) take_over(flags, verb);
  return flags;
}

int run(const Flags& given, const CLI::App& verb) {
  const Flags flags = settled(given, verb);
  prepare_file("--out", flags.out, "model.safetensors");
  if (!flags.checkpoint.empty()) {
    prepare_file("--checkpoint", flags.checkpoint, "model.checkpoint");
    keep_apart_from_out("--checkpoint", flags.checkpoint, flags.out);
  }
  const Context context = make_context(flags.machine);
  const int64_t limit = flags.training.limit;
  const Sets sets = load_sets(flags.training.data, limit > 0 ? limit : nn::kAllImages);
  const nn::NetworkOptions options =
      flags.resume.empty() ? network_options(flags.training, sets) : flags.training.network;
  nn::Network network = usage_checked([&] { return nn::Network(context, options); });
  check_outputs(flags, options, sets);
  nn::Trainer trainer = make_trainer(flags, network, sets);
  if (!flags.json) print("Training\n" + settings_text(flags, network, sets) + "\n");
  warn_of(nn::warnings(options));
  warn_of(nn::warnings(sets.train, options.classes));

  Outcome outcome;
  std::optional<double> accuracy;
  {
    const InterruptGuard interrupt;
    outcome = train(flags, trainer, network, sets, interrupt);
    network.set_compute(IDELTA_FORMAT_F32);  // the test is of what eval and explain will see
    // Before saving: it refuses a network whose numbers overflow.
    if (outcome.signal == 0) accuracy = test_accuracy(flags, network, sets, outcome.last.epoch, interrupt);
    save_or_rescue(flags.out, [&](const std::string& path) { nn::save_model(path, network); });
    outcome.signal = interrupt.signal();  // also of the evaluation and of the save
  }
  // Permuted labels are learned no better than by guessing, which is their purpose.
  if (outcome.signal == 0 && flags.training.train.shuffled_labels == 0) {
    warn_of(nn::warnings(flags.training.train, options, outcome.last.loss));
  }
  Json document = {{"verb", "train"}, {"settings", settings_json(flags, options, sets, context)}};
  document["result"] = outcome_json(outcome, flags.out);
  if (outcome.signal != 0) return interrupted(flags, outcome, document);
  document["result"]["test_accuracy"] = *accuracy;
  if (flags.json) {
    print_json(document);
  } else {
    print(summary(flags, outcome, sets, *accuracy));
  }
  return kExitOk;
}

void add_run_flags(CLI::App& verb, Flags& flags) {
  nn::TrainOptions& train = flags.training.train;
  verb.add_option("--epochs", train.epochs, "passes over the training set")
      ->option_text("N [3]")
      ->check(whole_number_from(1));
  verb.add_option("--lr", train.learning_rate, "learning rate; 0: 0.03 / layers")
      ->option_text("X [0]")
      ->check(real_number_from(0));
  verb.add_option("--decay-epochs", train.decay_epochs, "last epochs with a tenth of the rate")
      ->option_text("N [0]")
      ->check(whole_number_from(0));
  verb.add_option("--compute", flags.compute, "format of x D and dz D^T: " + training_format_names() + "; D stays fp32")
      ->option_text("NAME [f32]");
  verb.add_option("--seed", train.seed, "of the shuffling; the same seed gives the same bits")
      ->option_text("N [1]")
      ->check(whole_number_from(0));
  verb.add_option("--shuffle-labels", train.shuffled_labels, "a control: training labels permuted by this seed; 0: not")
      ->option_text("SEED [0]")
      ->check(whole_number_from(0));
}

void add_checkpoint_flags(CLI::App& verb, Flags& flags) {
  verb.add_option("--checkpoint", flags.checkpoint, "where to keep what --resume needs; written after each epoch")
      ->option_text("FILE");
  verb.add_option("--checkpoint-every", flags.checkpoint_every, "seconds between checkpoints, in place of epochs")
      ->option_text("SECONDS")
      ->check(positive_number());
  verb.add_option("--resume", flags.resume, "goes on from this checkpoint, to the bits of a run without a break")
      ->option_text("FILE");
}

}  // namespace

Verb add_train(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("train", "train an identity network from D = 0 and save it; Ctrl-C saves too");
  add_data_flags(*verb, flags->training.data);
  add_scale_flag(*verb, flags->training.data);
  verb->add_option("--out", flags->out, "the model file to write (safetensors)")->option_text("FILE")->required();
  verb->add_option("--layers", flags->training.network.layers, "layers, the last one linear")
      ->option_text("N [10]")
      ->check(whole_number_from(1));
  add_network_flags(*verb, flags->training);
  add_run_flags(*verb, *flags);
  add_step_flags(*verb, flags->training);
  add_checkpoint_flags(*verb, *flags);
  add_machine_flags(*verb, flags->machine);
  verb->add_option("--eval-every", flags->eval_every, "test accuracy after every N epochs; 0: at the end only")
      ->option_text("N [0]")
      ->check(whole_number_from(0));
  verb->add_flag("--json", flags->json, "one JSON object on stdout at the end");
  verb->add_flag("--quiet", flags->quiet, "no progress on stderr");
  verb->footer(
      "Example:\n"
      "  idelta train --data fashion-mnist --layers 10 --epochs 3 --out model.safetensors\n"
      "  idelta train --data fashion-mnist --activation relu --padding 0.1 --epochs 12 --decay-epochs 4 \\\n"
      "      --out relu.safetensors\n"
      "  idelta train --data fashion-mnist --layers 100 --checkpoint deep.checkpoint --out deep.safetensors\n"
      "  idelta train --data fashion-mnist --resume deep.checkpoint --out deep.safetensors");
  return {verb, [flags, verb] { return run(*flags, *verb); }};
}

}  // namespace idelta::cli
