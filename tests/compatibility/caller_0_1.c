/* A program compiled with the header of idelta 0.1, linked with today's library: every function takes 0.1's structs,
 * gives 0.1's results, and writes nothing behind them. idelta_0_1.h is that header, unchanged. */
#include <stdio.h>
#include <string.h>

#include "idelta_0_1.h"

static int failures = 0;

static void check(int holds, const char* what) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "failed: %s (last error: %s)\n", what, idelta_last_error());
}

/* A struct and what lies behind it in memory: a library that took it for one of today's would read the canary as a
 * field, or overwrite it. */
enum { CANARY = 64 };
#define GUARDED(type)             \
  struct {                        \
    type value;                   \
    unsigned char canary[CANARY]; \
  }
#define GUARD(guarded) memset((guarded).canary, 0xa5, CANARY)

static int whole(const unsigned char* canary) {
  int i;
  for (i = 0; i < CANARY; ++i) {
    if (canary[i] != 0xa5) return 0;
  }
  return 1;
}

static int equal(const float* a, const float* b, int count) {
  int i;
  for (i = 0; i < count; ++i) {
    if (a[i] != b[i]) return 0;
  }
  return 1;
}

static const float D[4] = {1, 2, 3, 4}, x[4] = {1, 2, -1, -2};

static void in_turn(void* user, int64_t ntasks, void (*task)(void* arg, int64_t index), void* arg) {
  int64_t i;
  for (i = 0; i < ntasks; ++i) task(arg, i);
  (void)user;
}

static idelta_context* make_context(void) {
  GUARDED(idelta_context_options) options = {IDELTA_CONTEXT_OPTIONS_INIT, {0}};
  idelta_context* context = NULL;
  GUARD(options);
  options.value.threads = 2;
  options.value.parallel_for = in_turn;
  check(idelta_context_create(&options.value, &context) == IDELTA_OK, "idelta_context_create");
  check(whole(options.canary), "behind idelta_context_options");
  check(idelta_context_threads(context) == 2, "idelta_context_threads");
  check(idelta_context_isa(context) != IDELTA_ISA_AUTO, "idelta_context_isa");
  check(strstr(idelta_context_describe(context), "the caller's parallel_for") != NULL, "idelta_context_describe");
  return context;
}

static idelta_delta* make_delta(const idelta_context* context) {
  GUARDED(idelta_delta_options) options = {IDELTA_DELTA_OPTIONS_INIT, {0}};
  idelta_delta* delta = NULL;
  GUARD(options);
  options.value.identity_scale = 2;
  options.value.tolerance = 1;
  options.value.format = IDELTA_FORMAT_F32;
  check(idelta_delta_pack(context, 2, D, 2, &options.value, &delta) == IDELTA_OK, "idelta_delta_pack");
  check(whole(options.canary), "behind idelta_delta_options");
  return delta;
}

static void info(const idelta_context* context, const idelta_delta* delta) {
  GUARDED(idelta_delta_info_t) info = {IDELTA_DELTA_INFO_INIT, {0}};
  GUARD(info);
  check(idelta_delta_info(context, delta, &info.value) == IDELTA_OK, "idelta_delta_info");
  check(whole(info.canary), "behind idelta_delta_info_t");
  check(info.value.struct_size == sizeof(idelta_delta_info_t), "struct_size of idelta_delta_info_t stays");
  check(info.value.n == 2 && info.value.format == IDELTA_FORMAT_F32 && info.value.asked == IDELTA_FORMAT_F32 &&
            info.value.isa == idelta_context_isa(context) && info.value.passes == IDELTA_PASS_BOTH &&
            info.value.identity_scale == 2 && info.value.packed_bytes > 0,
        "what idelta_delta_info says was packed");
  check(info.value.certificate > 0 && info.value.certificate_backward_data > 0 && info.value.norm_one == 6 &&
            info.value.norm_inf == 7 && info.value.norm_max == 4 && info.value.norm_frobenius > 5.47 &&
            info.value.norm_frobenius < 5.48 && info.value.zero_fraction == 0,
        "what idelta_delta_info measured");
}

/* y = relu(2 x + x D + b) of two rows. */
static void forward(const idelta_context* context, const idelta_delta* delta) {
  const float bias[2] = {10, -10}, expected[4] = {19, 4, 1, 0}, expected_contribution[4] = {17, 0, 3, -20};
  float y[4], contribution[4];
  size_t bytes = 1;
  GUARDED(idelta_forward_args) args = {IDELTA_FORWARD_ARGS_INIT, {0}};
  GUARD(args);
  args.value.m = 2;
  args.value.x = x, args.value.ldx = 2;
  args.value.bias = bias;
  args.value.activation.kind = IDELTA_ACTIVATION_RELU;
  args.value.y = y, args.value.ldy = 2;
  args.value.contribution = contribution, args.value.ldc = 2;
  check(idelta_forward(context, delta, &args.value) == IDELTA_OK, "idelta_forward");
  check(whole(args.canary), "behind idelta_forward_args");
  check(equal(y, expected, 4), "y of idelta_forward");
  check(equal(contribution, expected_contribution, 4), "contribution of idelta_forward");
  check(idelta_forward_workspace_bytes(context, delta, 2, &bytes) == IDELTA_OK, "idelta_forward_workspace_bytes");
}

/* dz = dy relu'(y), dx = 2 dz + dz D^T of one row. */
static void backward_data(const idelta_context* context, const idelta_delta* delta) {
  const float dy[2] = {1, 5}, y[2] = {3, 0}, expected_dz[2] = {1, 0}, expected_dx[2] = {3, 3};
  float dz[2], dx[2];
  size_t bytes = 1;
  GUARDED(idelta_backward_data_args) args = {IDELTA_BACKWARD_DATA_ARGS_INIT, {0}};
  GUARD(args);
  args.value.m = 1;
  args.value.dy = dy, args.value.lddy = 2;
  args.value.y = y, args.value.ldy = 2;
  args.value.activation.kind = IDELTA_ACTIVATION_RELU;
  args.value.dz = dz, args.value.lddz = 2;
  args.value.dx = dx, args.value.lddx = 2;
  check(idelta_backward_data(context, delta, &args.value) == IDELTA_OK, "idelta_backward_data");
  check(whole(args.canary), "behind idelta_backward_data_args");
  check(equal(dz, expected_dz, 2), "dz of idelta_backward_data");
  check(equal(dx, expected_dx, 2), "dx of idelta_backward_data");
  check(idelta_backward_data_workspace_bytes(context, delta, 1, &bytes) == IDELTA_OK,
        "idelta_backward_data_workspace_bytes");
}

/* dD = 2 dD + x^T dz, db = 2 db + column sums of dz. */
static void backward_weights(const idelta_context* context) {
  const float dz[4] = {1, 0, 0, 1}, expected_dD[4] = {3, 1, 4, 0}, expected_db[2] = {3, 3};
  float dD[4] = {1, 1, 1, 1}, db[2] = {1, 1};
  size_t bytes = 1;
  GUARDED(idelta_backward_weights_args) args = {IDELTA_BACKWARD_WEIGHTS_ARGS_INIT, {0}};
  GUARD(args);
  args.value.m = 2, args.value.n = 2;
  args.value.x = x, args.value.ldx = 2;
  args.value.dz = dz, args.value.lddz = 2;
  args.value.beta = 2;
  args.value.dD = dD, args.value.lddD = 2;
  args.value.db = db;
  check(idelta_backward_weights(context, &args.value) == IDELTA_OK, "idelta_backward_weights");
  check(whole(args.canary), "behind idelta_backward_weights_args");
  check(equal(dD, expected_dD, 4), "dD of idelta_backward_weights");
  check(equal(db, expected_db, 2), "db of idelta_backward_weights");
  check(idelta_backward_weights_workspace_bytes(context, 2, 2, &bytes) == IDELTA_OK,
        "idelta_backward_weights_workspace_bytes");
}

/* D -= x^T dz, b -= column sums of dz; the new D is in the delta, too. */
static void update(const idelta_context* context, idelta_delta* delta) {
  const float dz[4] = {1, 0, 0, 1}, expected_D[4] = {0, 3, 1, 6}, expected_bias[2] = {4, 4};
  float master[4], unpacked[4], bias[2] = {5, 5};
  size_t bytes = 1;
  GUARDED(idelta_optimizer) optimizer = {IDELTA_OPTIMIZER_INIT, {0}};
  GUARDED(idelta_update_args) args = {IDELTA_UPDATE_ARGS_INIT, {0}};
  GUARD(optimizer);
  GUARD(args);
  memcpy(master, D, sizeof D);
  optimizer.value.learning_rate = 1;
  args.value.m = 2;
  args.value.x = x, args.value.ldx = 2;
  args.value.dz = dz, args.value.lddz = 2;
  args.value.optimizer = &optimizer.value;
  args.value.D = master, args.value.ldd = 2;
  args.value.bias = bias;
  check(idelta_optimizer_state_arrays(IDELTA_OPTIMIZER_SGD) == 0, "idelta_optimizer_state_arrays");
  check(idelta_update(context, delta, &args.value) == IDELTA_OK, "idelta_update");
  check(whole(args.canary), "behind idelta_update_args");
  check(whole(optimizer.canary), "behind idelta_optimizer");
  check(equal(master, expected_D, 4), "D of idelta_update");
  check(equal(bias, expected_bias, 2), "bias of idelta_update");
  check(idelta_delta_unpack(context, delta, unpacked, 2) == IDELTA_OK, "idelta_delta_unpack");
  check(equal(unpacked, expected_D, 4), "the delta after idelta_update");
  check(idelta_delta_repack(context, delta, D, 2) == IDELTA_OK, "idelta_delta_repack");
  check(idelta_delta_unpack(context, delta, unpacked, 2) == IDELTA_OK, "idelta_delta_unpack");
  check(equal(unpacked, D, 4), "the delta after idelta_delta_repack");
  check(idelta_update_workspace_bytes(context, delta, 2, &bytes) == IDELTA_OK, "idelta_update_workspace_bytes");
}

static void panels(const idelta_context* context) {
  float packed[1024], rows[4];
  int64_t floats = 0;
  check(idelta_panels_floats(context, 2, &floats) == IDELTA_OK, "idelta_panels_floats");
  check(floats >= 4 && floats <= 1024, "floats of idelta_panels_floats");
  check(idelta_panels_pack(context, 2, D, 2, packed) == IDELTA_OK, "idelta_panels_pack");
  check(idelta_panels_unpack(context, 2, packed, rows, 2) == IDELTA_OK, "idelta_panels_unpack");
  check(equal(rows, D, 4), "panels there and back");
}

static void stateless(const idelta_context* context) {
  const float expected[4] = {9, 14, -9, -14};
  float y[4];
  check(idelta_sidmm(context, 0, 2, 2, 1, 2, x, 2, D, 2, 0, y, 2) == IDELTA_OK, "idelta_sidmm");
  check(equal(y, expected, 4), "y of idelta_sidmm");
  check(idelta_sidmv(context, 0, 2, 1, 2, x, 1, D, 2, 0, y, 1) == IDELTA_OK, "idelta_sidmv");
  check(equal(y, expected, 2), "y of idelta_sidmv");
}

static void texts(void) {
  check(strncmp(idelta_version(), "0.", 2) == 0, "the major version is still 0");
  check(strcmp(idelta_status_name(IDELTA_TOLERANCE_NOT_MET), "TOLERANCE_NOT_MET") == 0, "idelta_status_name");
  check(strcmp(idelta_isa_name(IDELTA_ISA_AVX512), "avx512") == 0, "idelta_isa_name");
  check(strcmp(idelta_format_name(IDELTA_FORMAT_BF16X3), "bf16x3") == 0, "idelta_format_name");
}

int main(void) {
  idelta_context* context = make_context();
  idelta_delta* delta = make_delta(context);
  info(context, delta);
  forward(context, delta);
  backward_data(context, delta);
  backward_weights(context);
  update(context, delta);
  panels(context);
  stateless(context);
  texts();
  idelta_delta_destroy(delta);
  idelta_context_destroy(context);
  return failures == 0 ? 0 : 1;
}
