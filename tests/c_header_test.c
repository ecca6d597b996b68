/* idelta.h from C99: every _INIT macro, the version, one real forward, and an error that says what is wrong. */
#include <idelta/idelta.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

static void check(int holds, const char* what) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "failed: %s (last error: %s)\n", what, idelta_last_error());
}

static void version_matches_macros(void) {
  char expected[32];
  sprintf(expected, "%d.%d.%d", IDELTA_VERSION_MAJOR, IDELTA_VERSION_MINOR, IDELTA_VERSION_PATCH);
  check(strcmp(expected, idelta_version()) == 0, "idelta_version() is the header's version");
}

static void init_macros_set_struct_size(void) {
  idelta_backward_data_args backward_data = IDELTA_BACKWARD_DATA_ARGS_INIT;
  idelta_backward_weights_args backward_weights = IDELTA_BACKWARD_WEIGHTS_ARGS_INIT;
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  idelta_update_args update = IDELTA_UPDATE_ARGS_INIT;
  idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
  check(backward_data.struct_size == sizeof backward_data, "IDELTA_BACKWARD_DATA_ARGS_INIT");
  check(backward_weights.struct_size == sizeof backward_weights, "IDELTA_BACKWARD_WEIGHTS_ARGS_INIT");
  check(optimizer.struct_size == sizeof optimizer, "IDELTA_OPTIMIZER_INIT");
  check(update.struct_size == sizeof update, "IDELTA_UPDATE_ARGS_INIT");
  check(info.struct_size == sizeof info, "IDELTA_DELTA_INFO_INIT");
}

/* y = relu(2 x + x D + b) of two rows, by hand. */
static void forward_computes(void) {
  const float D[4] = {1, 2, 3, 4}, bias[2] = {10, -10}, x[4] = {1, 2, -1, -2}, expected[4] = {19, 4, 1, 0};
  float y[4] = {0, 0, 0, 0};
  idelta_context_options context_options = IDELTA_CONTEXT_OPTIONS_INIT;
  idelta_delta_options delta_options = IDELTA_DELTA_OPTIONS_INIT;
  idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
  idelta_context* context = NULL;
  idelta_delta* delta = NULL;
  int i;
  delta_options.identity_scale = 2;
  check(idelta_context_create(&context_options, &context) == IDELTA_OK, "idelta_context_create");
  check(idelta_delta_pack(context, 2, D, 2, &delta_options, &delta) == IDELTA_OK, "idelta_delta_pack");
  args.m = 2;
  args.x = x;
  args.ldx = 2;
  args.bias = bias;
  args.activation.kind = IDELTA_ACTIVATION_RELU;
  args.y = y;
  args.ldy = 2;
  check(idelta_forward(context, delta, &args) == IDELTA_OK, "idelta_forward");
  for (i = 0; i < 4; ++i) check(y[i] == expected[i], "y of idelta_forward");

  args.x = NULL;
  check(idelta_forward(context, delta, &args) == IDELTA_INVALID_ARGUMENT, "x = NULL is refused");
  check(strlen(idelta_last_error()) > 0, "and the error has a sentence");
  idelta_delta_destroy(delta);
  idelta_context_destroy(context);
}

/* Of I + (2 of one entry off the diagonal), by hand: 1 + sqrt(2). */
static void norm_is_bounded(void) {
  const float D[4] = {0, 2, 0, 0};
  double bound = 0;
  idelta_context* context = NULL;
  check(idelta_context_create(NULL, &context) == IDELTA_OK, "idelta_context_create");
  check(idelta_spectral_norm_bound(context, 2, D, 2, 1, &bound) == IDELTA_OK, "idelta_spectral_norm_bound");
  check(bound > 2.41421356 && bound < 2.415, "bound of idelta_spectral_norm_bound");
  idelta_context_destroy(context);
}

/* D = U V to the bit. */
static void factors_are_measured(void) {
  const float D[4] = {3, 0, 0, 0}, U[2] = {1, 0}, V[2] = {3, 0};
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
  idelta_context* context = NULL;
  idelta_delta* delta = NULL;
  check(idelta_context_create(NULL, &context) == IDELTA_OK, "idelta_context_create");
  check(idelta_low_rank_measure(context, 2, D, 2, 1, U, 1, V, 2, NULL, &proof) == IDELTA_OK, "idelta_low_rank_measure");
  check(proof.dropped < 1e-5, "dropped of idelta_low_rank_measure");
  check(idelta_delta_pack_measured(context, 2, 1, U, 1, V, 2, NULL, &proof, NULL, &delta) == IDELTA_OK,
        "idelta_delta_pack_measured");
  idelta_delta_destroy(delta);
  idelta_context_destroy(context);
}

int main(void) {
  version_matches_macros();
  init_macros_set_struct_size();
  forward_computes();
  norm_is_bounded();
  factors_are_measured();
  return failures == 0 ? 0 : 1;
}
