// idelta train: the identity network from D = 0, trained, saved, tested. A signal saves what there is.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <new>
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
#include "verbs.h"

namespace idelta::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct Flags {
  MachineFlags machine;
  nn::NetworkOptions network;
  nn::TrainOptions train;
  std::string data, out, activation = "leaky_relu", optimizer = "momentum", compute = "f32";
  int64_t limit = 0, eval_every = 0;
  bool json = false, quiet = false;
};

// What the run came to.
struct Outcome {
  nn::Progress last;  // of the last batch
  double seconds = 0;
  int64_t images = 0;
  int signal = 0;  // that stopped it; 0: ran to its end
};

struct Sets {
  nn::Dataset train, test;
};

void require_classes(const Flags& flags, const nn::Dataset& train) {
  const auto [least, most] = std::minmax_element(train.labels.begin(), train.labels.end());
  if (*least != *most) return;
  const bool cut = train.count == flags.limit;
  throw FileError(train.labels_path + ": every label" +
                  (cut ? format(" of the first %lld, which --limit leaves,", (long long)train.count) : "") +
                  format(" is %d, a single class, of which nothing can be learned; give labels of two classes or more",
                         int{*least}) +
                  (cut ? ", or a higher --limit" : ""));
}

// Both sets at once: a test set that cannot be read should be known before the training, not after it.
Sets load_sets(const Flags& flags) {
  const int64_t most = flags.limit > 0 ? flags.limit : nn::kAllImages;
  Sets sets = {load_data(flags.data, nn::Split::kTrain, most), load_data(flags.data, nn::Split::kTest)};
  const nn::Dataset &train = sets.train, &test = sets.test;
  if (train.height != test.height || train.width != test.width) {
    throw FileError(
        format("%s holds images of %lld x %lld, but %s, to train on, of %lld x %lld; give four files of one "
               "set",
               test.images_path.c_str(), (long long)test.height, (long long)test.width, train.images_path.c_str(),
               (long long)train.height, (long long)train.width));
  }
  require_classes(flags, train);
  keep_apart("--out", flags.out, train);
  keep_apart("--out", flags.out, test);
  return sets;
}

nn::NetworkOptions network_options(const Flags& flags, const Sets& sets) {
  nn::NetworkOptions options = flags.network;
  options.height = sets.train.height;
  options.width = sets.train.width;
  options.classes = std::max(sets.train.classes, sets.test.classes);
  options.activation = parse_activation(flags.activation);
  return options;
}

// What was asked for, and what does the work if that is something else here.
std::string compute_text(const nn::Network& network) {
  const idelta_format runs = network.packed(0).info().format;
  const std::string asked = idelta_format_name(network.compute());
  return runs == network.compute() ? asked : asked + ", for which " + idelta_format_name(runs) + " stands in here";
}

std::string settings_text(const Flags& flags, const nn::Network& network, const Sets& sets) {
  const nn::TrainOptions& t = flags.train;
  const int64_t layers = network.layers();
  std::string rate = short_number(nn::effective_learning_rate(t, layers, 0));
  if (t.learning_rate == 0) rate += format(" (0.03 / %lld layers)", (long long)layers);
  if (t.decay_epochs > 0) rate += format(", a tenth of it in the last %lld epochs", (long long)t.decay_epochs);
  std::string optimizer = idelta_optimizer_name(t.optimizer);
  if (t.optimizer != IDELTA_OPTIMIZER_SGD) {
    optimizer += (t.optimizer == IDELTA_OPTIMIZER_ADAMW ? ", beta1 " : " ") + short_number(t.momentum);
  }
  if (t.weight_decay != 0) optimizer += ", weight decay " + short_number(t.weight_decay) + " on D";

  Listing listing;
  listing.add("data", describe(sets.train, nn::Split::kTrain));
  add_network(listing, network.options());
  if (t.compute != IDELTA_FORMAT_F32) listing.add("compute", compute_text(network));
  listing.add("optimiser", optimizer + ", learning rate " + rate);
  listing.add("run", format("%lld %s, batch %lld, seed %llu, ", (long long)t.epochs, t.epochs == 1 ? "epoch" : "epochs",
                            (long long)t.batch, (unsigned long long)t.seed) +
                         describe(network.context()));
  return listing.text();
}

// Options that the nn layer refuses are the user's, not a failure of the run.
template <class Make>
auto usage_checked(const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw UsageError(error.what());
  }
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
               short_number(nn::effective_learning_rate(flags.train, network.layers(), epoch)).c_str(), error.what()));
  }
}

// Runs to the end or to the first signal; between epochs, if asked, says how the test set fares.
Outcome train(const Flags& flags, nn::Trainer& trainer, const nn::Network& network, const Sets& sets,
              const InterruptGuard& interrupt) {
  TrainingProgress progress(flags.quiet);
  Outcome outcome;
  bool test_now = false;
  const auto observe = [&](const nn::Progress& p) {
    outcome.last = p;
    outcome.images += std::min(flags.train.batch, sets.train.count - (p.batch - 1) * flags.train.batch);
    progress.show(p);
    const bool more_epochs = p.epoch + 1 < p.epochs;
    test_now = p.batch == p.batches && more_epochs && flags.eval_every > 0 && (p.epoch + 1) % flags.eval_every == 0;
    return !test_now && interrupt.signal() == 0;
  };
  for (;;) {
    const auto began = Clock::now();
    const bool finished = trainer.run(observe);
    outcome.seconds += std::chrono::duration<double>(Clock::now() - began).count();
    outcome.signal = finished ? 0 : interrupt.signal();
    if (finished || outcome.signal != 0) return outcome;
    if (!test_now) throw std::logic_error("Trainer::run stopped although nobody asked it to");
    if (flags.json) continue;
    const std::optional<double> accuracy = test_accuracy(flags, network, sets, outcome.last.epoch, interrupt);
    outcome.signal = interrupt.signal();
    if (!accuracy) return outcome;
    print(format("after epoch %lld: test accuracy %.2f %%\n", (long long)(outcome.last.epoch + 1), 100 * *accuracy));
  }
}

Json settings_json(const Flags& flags, const nn::NetworkOptions& n, const Sets& sets, const Context& context) {
  const nn::TrainOptions& t = flags.train;
  return {{"data", flags.data},
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
          {"images_per_second", double(outcome.images) / outcome.seconds}};
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
  if (flags.json) print_json(document);
  return kSignalled + outcome.signal;
}

// With the names that flags hold as text.
Flags settled(const Flags& flags) {
  Flags settled = flags;
  settled.train.optimizer = parse_optimizer(flags.optimizer);
  settled.train.compute = parse_format(flags.compute);
  return settled;
}

// Of the model file: the header is small beside its tensors.
int64_t model_bytes(const nn::NetworkOptions& n) { return n.layers * (n.n() * n.n() + n.n()) * int64_t{sizeof(float)}; }

void warn_of(const std::vector<std::string>& sentences) {
  for (const std::string& sentence : sentences) warn(sentence);
}

std::string summary(const Flags& flags, const Outcome& outcome, const Sets& sets, double accuracy) {
  Listing listing;
  listing.add("trained",
              format("%s images in %s, %s images/s", grouped(outcome.images).c_str(), duration(outcome.seconds).c_str(),
                     grouped(std::llround(double(outcome.images) / outcome.seconds)).c_str()));
  listing.add("test accuracy", format("%.2f %% of %s images", 100 * accuracy, grouped(sets.test.count).c_str()));
  listing.add("model", flags.out);
  return "\n" + listing.text() + "\n";
}

int run(const Flags& given) {
  const Flags flags = settled(given);
  prepare_file("--out", flags.out, "model.safetensors");
  const Context context = make_context(flags.machine);
  const Sets sets = load_sets(flags);
  const nn::NetworkOptions options = network_options(flags, sets);
  nn::Network network = usage_checked([&] { return nn::Network(context, options); });
  require_room("--out", flags.out, model_bytes(options));
  nn::Trainer trainer = usage_checked([&] { return nn::Trainer(network, sets.train, flags.train); });
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
  if (outcome.signal == 0) warn_of(nn::warnings(flags.train, options, outcome.last.loss));
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

void add_network_flags(CLI::App& verb, Flags& flags) {
  verb.add_option("--layers", flags.network.layers, "layers, the last one linear")
      ->option_text("N [10]")
      ->check(whole_number_from(1));
  verb.add_option("--activation", flags.activation, idelta_activation_names() + std::string("; leaky_relu:0.1"))
      ->option_text("NAME [leaky_relu]");
  verb.add_option("--padding", flags.network.class_padding, "value the class dimensions start from")
      ->option_text("X [0]")
      ->check(real_number_from(-HUGE_VAL));
  verb.add_option("--identity-scale", flags.network.identity_scale, "a in W = a I + D")
      ->option_text("X [1]")
      ->check(real_number_from(-HUGE_VAL));
}

void add_training_flags(CLI::App& verb, Flags& flags) {
  verb.add_option("--epochs", flags.train.epochs, "passes over the training set")
      ->option_text("N [3]")
      ->check(whole_number_from(1));
  verb.add_option("--batch", flags.train.batch, "images a step")->option_text("N [128]")->check(whole_number_from(1));
  verb.add_option("--lr", flags.train.learning_rate, "learning rate; 0: 0.03 / layers")
      ->option_text("X [0]")
      ->check(real_number_from(0));
  verb.add_option("--decay-epochs", flags.train.decay_epochs, "last epochs with a tenth of the rate")
      ->option_text("N [0]")
      ->check(whole_number_from(0));
  verb.add_option("--optimizer", flags.optimizer, idelta_optimizer_names())->option_text("NAME [momentum]");
  verb.add_option("--compute", flags.compute, "format of x D and dz D^T: " + training_format_names() + "; D stays fp32")
      ->option_text("NAME [f32]");
  verb.add_option("--momentum", flags.train.momentum, "momentum; beta1 of adamw")
      ->option_text("X [0.9]")
      ->check(real_number_from(0));
  verb.add_option("--weight-decay", flags.train.weight_decay, "pulls D towards 0, W towards a I")
      ->option_text("X [0]")
      ->check(real_number_from(0));
  verb.add_option("--seed", flags.train.seed, "of the shuffling; the same seed gives the same bits")
      ->option_text("N [1]")
      ->check(whole_number_from(0));
  verb.add_option("--limit", flags.limit, "only the first N training images; 0: all")
      ->option_text("N [0]")
      ->check(whole_number_from(0));
}

}  // namespace

Verb add_train(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("train", "train an identity network from D = 0 and save it; Ctrl-C saves too");
  add_data_flag(*verb, flags->data);
  verb->add_option("--out", flags->out, "the model file to write (safetensors)")->option_text("FILE")->required();
  add_network_flags(*verb, *flags);
  add_training_flags(*verb, *flags);
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
      "      --out relu.safetensors");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
