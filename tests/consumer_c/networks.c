/* nn.h from C99: a network is trained, stopped, saved, loaded, compressed, asked for labels that are proved, and taken
 * apart. The argument is where to write the model. */
#include <idelta/nn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 64, INPUTS = 6, CLASSES = 2, LAYERS = 3, WIDTH = INPUTS + CLASSES };

static float images[COUNT * INPUTS];
static int32_t labels[COUNT];

static void check(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "failed: %s (last error: %s)\n", what, idelta_last_error());
  exit(1);
}

static void succeeds(idelta_status status, const char* what) { check(status == IDELTA_OK, what); }

/* Rows are of class 1 if their first input is the larger of the first two. */
static idelta_dataset* make_data(void) {
  idelta_dataset_args args = IDELTA_DATASET_ARGS_INIT;
  idelta_dataset* data = NULL;
  unsigned state = 1;
  int i;
  for (i = 0; i < COUNT * INPUTS; ++i) {
    state = state * 1664525u + 1013904223u;
    images[i] = (float)(state >> 8) / 16777216.0f;
  }
  for (i = 0; i < COUNT; ++i) labels[i] = images[i * INPUTS] > images[i * INPUTS + 1];
  args.count = COUNT;
  args.width = INPUTS;
  args.images = images;
  args.ld = INPUTS;
  args.labels = labels;
  succeeds(idelta_dataset_create(&args, &data), "idelta_dataset_create");
  return data;
}

static int32_t stop_after_ten(void* batches, const idelta_progress* progress) {
  check(progress->batch >= 1 && progress->batch <= progress->batches, "progress");
  return ++*(int*)batches == 10;
}

static void train(idelta_network* network, const idelta_dataset* data) {
  idelta_train_options options = IDELTA_TRAIN_OPTIONS_INIT;
  idelta_trainer* trainer = NULL;
  int batches = 0;
  int32_t finished = -1;
  options.epochs = 40;
  options.batch = 8;
  options.learning_rate = 0.05f;
  succeeds(idelta_trainer_create(network, data, &options, &trainer), "idelta_trainer_create");
  succeeds(idelta_trainer_run(trainer, stop_after_ten, &batches, &finished), "idelta_trainer_run");
  check(batches == 10 && finished == 0, "the callback stops the run");
  succeeds(idelta_trainer_run(trainer, NULL, NULL, &finished), "idelta_trainer_run goes on");
  check(finished == 1, "the run ends");
  idelta_trainer_destroy(trainer);
}

static double accuracy_of(const idelta_network* network, const idelta_dataset* data) {
  double accuracy[LAYERS];
  idelta_evaluation to = IDELTA_EVALUATION_INIT;
  to.accuracy = accuracy;
  succeeds(idelta_network_evaluate(network, data, &to), "idelta_network_evaluate");
  return accuracy[LAYERS - 1];
}

static void predict(idelta_network* network) {
  idelta_compress_options compress = IDELTA_COMPRESS_OPTIONS_INIT;
  idelta_predict_args args = IDELTA_PREDICT_ARGS_INIT;
  int32_t dense[COUNT], proved[COUNT];
  args.rows = COUNT;
  args.images = images;
  args.ld = INPUTS;
  args.labels = dense;
  succeeds(idelta_network_predict(network, &args), "idelta_network_predict");
  compress.rank = 2;
  succeeds(idelta_network_compress(network, &compress), "idelta_network_compress");
  args.guarantee = 1;
  args.labels = proved;
  succeeds(idelta_network_predict(network, &args), "idelta_network_predict with guarantee");
  check(memcmp(dense, proved, sizeof dense) == 0, "labels with a guarantee are those of the dense network");
}

/* The steps of a row add up to what the network made of it. */
static void decompose(const idelta_network* network) {
  idelta_decompose_args args = IDELTA_DECOMPOSE_ARGS_INIT;
  float steps[LAYERS * WIDTH], logits[CLASSES], likelihoods[CLASSES];
  int c, l;
  args.rows = 1;
  args.images = images;
  args.ld = INPUTS;
  args.steps = steps;
  args.logits = logits;
  args.final_likelihoods = likelihoods;
  succeeds(idelta_network_decompose(network, &args), "idelta_network_decompose");
  for (c = 0; c < CLASSES; ++c) {
    float sum = 0;
    for (l = 0; l < LAYERS; ++l) sum += steps[l * WIDTH + INPUTS + c];
    check(fabsf(sum - logits[c]) < 1e-4f, "steps add up to the logit");
  }
  check(fabsf(likelihoods[0] + likelihoods[1] - 1) < 1e-6f, "likelihoods add up to 1");
}

int main(int argc, char** argv) {
  idelta_network_options options = IDELTA_NETWORK_OPTIONS_INIT;
  idelta_context* context = NULL;
  idelta_network *network = NULL, *loaded = NULL;
  idelta_dataset* data = make_data();
  double accuracy;
  check(argc == 2, "the argument is a file to write");
  check(strcmp(idelta_nn_version(), idelta_version()) == 0, "both libraries are of one version");
  succeeds(idelta_context_create(NULL, &context), "idelta_context_create");
  options.layers = LAYERS;
  succeeds(idelta_network_options_for(data, &options), "idelta_network_options_for");
  succeeds(idelta_network_create(context, &options, &network), "idelta_network_create");
  train(network, data);
  accuracy = accuracy_of(network, data);
  check(accuracy > 0.9, "the network learns");
  succeeds(idelta_network_save(network, argv[1], NULL), "idelta_network_save");
  succeeds(idelta_network_load(context, argv[1], &loaded), "idelta_network_load");
  check(accuracy_of(loaded, data) == accuracy, "the loaded network is the same");
  predict(loaded);
  decompose(loaded);
  check(idelta_network_load(context, "no such file", &loaded) == IDELTA_FILE_ERROR, "a missing file is an error");
  check(strstr(idelta_last_error(), "no such file") != NULL, "which names it");
  idelta_network_destroy(loaded);
  idelta_network_destroy(network);
  idelta_dataset_destroy(data);
  idelta_context_destroy(context);
  return 0;
}
