/* Training and its checkpoints from C. Part of idelta/nn.h, which has the conventions. */
#ifndef IDELTA_NN_TRAINING_H
#define IDELTA_NN_TRAINING_H

#include "idelta/nn/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct idelta_trainer idelta_trainer;

typedef struct idelta_train_options {
  size_t struct_size;
  int64_t epochs, batch;
  float learning_rate;  /* 0: 0.03 / layers */
  int64_t decay_epochs; /* the rate is divided by 10 for this many last epochs */
  idelta_optimizer_kind optimizer;
  float momentum;           /* momentum and Nesterov; AdamW's beta1 */
  float weight_decay;       /* on D, never on W */
  idelta_format compute;    /* of every product while training: F32, BF16X3 or BF16 */
  uint64_t seed;            /* of the shuffling; the same seed gives the same bits at any thread count */
  float layer_loss;         /* weight of every hidden layer's own cross-entropy in the loss */
  uint64_t shuffled_labels; /* not 0: labels are permuted by this seed, as a control */
} idelta_train_options;
#define IDELTA_TRAIN_OPTIONS_INIT                                                                                     \
  {                                                                                                                   \
    sizeof(idelta_train_options), 3, 128, 0.0f, 0, IDELTA_OPTIMIZER_MOMENTUM, 0.9f, 0.0f, IDELTA_FORMAT_F32, 1, 0.0f, \
        0                                                                                                             \
  }

typedef struct idelta_progress {
  size_t struct_size;
  int64_t epoch, epochs;  /* epoch counts from 0 */
  int64_t batch, batches; /* of this epoch, done */
  double loss, accuracy;  /* running means of this epoch, of the last layer */
  double images_per_second, seconds, seconds_left;
} idelta_progress;
#define IDELTA_PROGRESS_INIT \
  { sizeof(idelta_progress), 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0 }

/* Called after every batch: 0 goes on; anything else stops after this batch, with the network whole. */
typedef int32_t (*idelta_train_observer)(void* user, const idelta_progress* progress);

/* A whole run, as `idelta train` does it: trains on the set and leaves the network computing in F32. options, observer
 * and finished may be null; *finished: 1 if all epochs were run, 0 if the observer stopped it, which is no error.
 * NOT_FINITE where training diverged, with the epoch, the rate and what to change; the network is then as the last
 * finite check left it, or holds numbers that are not finite, which no call accepts. */
IDELTA_API idelta_status idelta_network_train(idelta_network* network, const idelta_dataset* data,
                                              const idelta_train_options* options, idelta_train_observer observer,
                                              void* user, int32_t* finished);

/* The same piece by piece. The trainer shares the network's parameters and the data set: both handles may be destroyed
 * before it. It leaves the network computing in options.compute. options may be null. */
IDELTA_API idelta_status idelta_trainer_create(idelta_network* network, const idelta_dataset* data,
                                               const idelta_train_options* options, idelta_trainer** trainer);

/* Runs the epochs that are left, or until the observer stops; a further run goes on there. observer and finished may be
 * null. */
IDELTA_API idelta_status idelta_trainer_run(idelta_trainer* trainer, idelta_train_observer observer, void* user,
                                            int32_t* finished);

/* One step on 1 to options.batch images (rows x P, row stride ld) besides those of the run; *loss (or null): the mean
 * loss before it, with that of hidden layers. */
IDELTA_API idelta_status idelta_trainer_step(idelta_trainer* trainer, int64_t rows, const float* images, int64_t ld,
                                             const int32_t* labels, float learning_rate, double* loss);

/* The run's options; its progress in the epoch that was begun last. seconds is that of the current run. */
IDELTA_API idelta_status idelta_trainer_options(const idelta_trainer* trainer, idelta_train_options* options);
IDELTA_API idelta_status idelta_trainer_progress(const idelta_trainer* trainer, idelta_progress* progress);

/* Sentences about a run that has ended: one where the mean loss of its last epoch is above that of a guess. */
IDELTA_API idelta_status idelta_trainer_warnings(const idelta_trainer* trainer, idelta_text_seen seen, void* user);

/* Writes all that the rest of the run depends on, whole or not at all; also from within an observer. */
IDELTA_API idelta_status idelta_trainer_save(const idelta_trainer* trainer, const char* checkpoint);

/* The run of a checkpoint goes on, to the bits of the one that was not interrupted. `network` must have the options of
 * the one that was saved, and gets its parameters; `data` the same images and labels, under any name. FILE_ERROR for
 * what is otherwise: the network is then as it was, but for a file that cannot be read whole. */
IDELTA_API idelta_status idelta_trainer_resume(idelta_network* network, const idelta_dataset* data,
                                               const char* checkpoint, idelta_trainer** trainer);

/* What a checkpoint says of itself: each may be null. images: of the training set; the run goes on at image `image` of
 * epoch `epoch`, from 0. */
IDELTA_API idelta_status idelta_checkpoint_read(const char* checkpoint, idelta_train_options* options, int64_t* images,
                                                int64_t* epoch, int64_t* image);
/* The identity network that has the checkpoint's options, for idelta_trainer_resume. */
IDELTA_API idelta_status idelta_checkpoint_network(const idelta_context* context, const char* checkpoint,
                                                   idelta_network** network);

IDELTA_API void idelta_trainer_destroy(idelta_trainer* trainer);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_NN_TRAINING_H */
