// The C ABI: training and its checkpoints.
#include "../error.h"
#include "handles.h"

using namespace idelta::nn;
using namespace idelta::nn::api;

namespace {

TrainOptions options_of(const idelta_train_options* given) {
  if (!given) return {};
  const Given known(given, "options");
  const idelta_train_options& o = *known;
  return {.epochs = o.epochs,
          .batch = o.batch,
          .learning_rate = o.learning_rate,
          .decay_epochs = o.decay_epochs,
          .optimizer = o.optimizer,
          .momentum = o.momentum,
          .weight_decay = o.weight_decay,
          .compute = o.compute,
          .seed = o.seed,
          .layer_loss = o.layer_loss,
          .shuffled_labels = o.shuffled_labels};
}

void give_options(const TrainOptions& o, idelta_train_options* to) {
  give(
      idelta_train_options{sizeof(idelta_train_options), o.epochs, o.batch, o.learning_rate, o.decay_epochs,
                           o.optimizer, o.momentum, o.weight_decay, o.compute, o.seed, o.layer_loss, o.shuffled_labels},
      to);
}

idelta_progress progress_of(const Progress& p) {
  return {sizeof(idelta_progress), p.epoch,   p.epochs,      p.batch, p.batches, p.loss, p.accuracy,
          p.images_per_second,     p.seconds, p.seconds_left};
}

Trainer::Observer observer_of(idelta_train_observer observer, void* user) {
  if (!observer) return {};
  return [observer, user](const Progress& p) {
    const idelta_progress progress = progress_of(p);
    return observer(user, &progress) == 0;
  };
}

void run(Trainer& trainer, idelta_train_observer observer, void* user, int32_t* finished) {
  const bool done = trainer.run(observer_of(observer, user));
  if (finished) *finished = done;
}

}  // namespace

extern "C" {

idelta_status idelta_network_train(idelta_network* network, const idelta_dataset* data,
                                   const idelta_train_options* options, idelta_train_observer observer, void* user,
                                   int32_t* finished) {
  return guarded(__func__, [&] {
    Network& net = checked_network(network);
    Trainer trainer(net, checked_data(data), options_of(options));
    try {
      run(trainer, observer, user, finished);
    } catch (...) {
      net.set_compute(IDELTA_FORMAT_F32);
      throw;
    }
    net.set_compute(IDELTA_FORMAT_F32);
  });
}

idelta_status idelta_trainer_create(idelta_network* network, const idelta_dataset* data,
                                    const idelta_train_options* options, idelta_trainer** trainer) {
  return guarded(__func__, [&] {
    Network& net = checked_network(network);
    const Dataset& set = checked_data(data);
    check_pointer(trainer, "trainer");
    *trainer = new idelta_trainer{data->set, Trainer(net, set, options_of(options))};
  });
}

idelta_status idelta_trainer_run(idelta_trainer* trainer, idelta_train_observer observer, void* user,
                                 int32_t* finished) {
  return guarded(__func__, [&] { run(checked(trainer, "trainer").trainer, observer, user, finished); });
}

idelta_status idelta_trainer_step(idelta_trainer* trainer, int64_t rows, const float* images, int64_t ld,
                                  const int32_t* labels, float learning_rate, double* loss) {
  return guarded(__func__, [&] {
    Trainer& run = checked(trainer, "trainer").trainer;
    const NetworkOptions& options = run.network().options();
    if (rows < 1) invalid(sentence("rows = ", rows, " is less than 1"));
    const DenseImages dense(rows, images, ld, options.pixels());
    check_pointer(labels, "labels");
    const double mean = run.step({dense.data(), static_cast<size_t>(rows * options.pixels())},
                                 labels_of(labels, rows, options.classes), learning_rate);
    if (loss) *loss = mean;
  });
}

idelta_status idelta_trainer_options(const idelta_trainer* trainer, idelta_train_options* options) {
  return guarded(__func__, [&] {
    const Trainer& run = checked(trainer, "trainer").trainer;
    const Given known(options, "options");  // checks its size
    give_options(run.options(), options);
  });
}

idelta_status idelta_trainer_progress(const idelta_trainer* trainer, idelta_progress* progress) {
  return guarded(__func__, [&] {
    const Trainer& run = checked(trainer, "trainer").trainer;
    const Given known(progress, "progress");  // checks its size
    give(progress_of(run.progress()), progress);
  });
}

idelta_status idelta_trainer_warnings(const idelta_trainer* trainer, idelta_text_seen seen, void* user) {
  return guarded(__func__, [&] {
    const Trainer& run = checked(trainer, "trainer").trainer;
    if (!seen) invalid("seen is null; give a function that is told each sentence");
    say(warnings(run.options(), run.network().options(), run.progress().loss), seen, user);
  });
}

idelta_status idelta_trainer_save(const idelta_trainer* trainer, const char* checkpoint) {
  return guarded(__func__, [&] { checked(trainer, "trainer").trainer.save(text_of(checkpoint, "checkpoint")); });
}

idelta_status idelta_trainer_resume(idelta_network* network, const idelta_dataset* data, const char* checkpoint,
                                    idelta_trainer** trainer) {
  return reading(__func__, [&] {
    Network& net = checked_network(network);
    const Dataset& set = checked_data(data);
    check_pointer(trainer, "trainer");
    *trainer = new idelta_trainer{data->set, Trainer::resume(net, set, text_of(checkpoint, "checkpoint"))};
  });
}

idelta_status idelta_checkpoint_read(const char* checkpoint, idelta_train_options* options, int64_t* images,
                                     int64_t* epoch, int64_t* image) {
  return reading(__func__, [&] {
    if (options) Given(options, "options");  // checks its size
    const CheckpointInfo info = read_checkpoint(text_of(checkpoint, "checkpoint"));
    if (options) give_options(info.train, options);
    for (const auto& [value, to] :
         {std::pair(info.images, images), std::pair(info.epoch, epoch), std::pair(info.image, image)}) {
      if (to) *to = value;
    }
  });
}

idelta_status idelta_checkpoint_network(const idelta_context* context, const char* checkpoint,
                                        idelta_network** network) {
  return reading(__func__, [&] {
    const idelta::Context shared = context_of(context);
    check_pointer(network, "network");
    *network = new idelta_network(Network(shared, read_checkpoint(text_of(checkpoint, "checkpoint")).network));
  });
}

void idelta_trainer_destroy(idelta_trainer* trainer) { delete trainer; }

}  // extern "C"
