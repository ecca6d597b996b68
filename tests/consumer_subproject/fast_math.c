/* fast_math <libidelta.so>: a library built amid -ffast-math leaves the process' floating-point mode alone when it is
 * loaded, gives NaN and infinities on as IEEE arithmetic does, and computes the same bits with every instruction set.
 */
#include <dlfcn.h>
#include <idelta/idelta.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#else
static unsigned _mm_getcsr(void) { return 0; }
static void _mm_setcsr(unsigned mode) { (void)mode; }
#endif

enum { N = 131, M = 17, DEFAULT_MODE = 0x1f80 };
static float D[N * N], x[M * N], bias[N], y[M * N], first[M * N];
static int failures;

static void expect(int holds, const char* what, const char* isa) {
  if (holds) return;
  fprintf(stderr, "%s: %s\n", isa, what);
  ++failures;
}

#define SYMBOL(name) *(void**)&name = dlsym(library, "idelta_" #name)
static idelta_status (*context_create)(const idelta_context_options*, idelta_context**);
static idelta_status (*delta_pack)(const idelta_context*, int64_t, const float*, int64_t, const idelta_delta_options*,
                                   idelta_delta**);
static idelta_status (*forward)(const idelta_context*, const idelta_delta*, const idelta_forward_args*);
static void (*delta_destroy)(idelta_delta*);
static void (*context_destroy)(idelta_context*);
static const char* (*isa_name)(idelta_isa);

/* y = act(x + x D + b) with one instruction set; 0 if this machine does not have it. */
static int compute(idelta_isa isa, idelta_activation activation) {
  idelta_context* context = NULL;
  idelta_delta* delta = NULL;
  idelta_context_options options = IDELTA_CONTEXT_OPTIONS_INIT;
  idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
  idelta_status status;
  options.isa = isa;
  options.threads = 1;
  status = context_create(&options, &context);
  if (status == IDELTA_UNSUPPORTED) return 0;
  args.m = M, args.x = x, args.ldx = N, args.bias = bias, args.activation = activation, args.y = y, args.ldy = N;
  expect(!status && !delta_pack(context, N, D, N, NULL, &delta) && !forward(context, delta, &args), "a call failed",
         isa_name(isa));
  delta_destroy(delta);
  context_destroy(context);
  return 1;
}

static void check_bits(idelta_isa isa, idelta_activation activation) {
  if (!compute(isa, activation)) return;
  if (isa == IDELTA_ISA_SCALAR) memcpy(first, y, sizeof y);
  expect(memcmp(first, y, sizeof y) == 0, "other bits than with scalar", isa_name(isa));
}

static void check_special(idelta_isa isa, idelta_activation activation) {
  const float kept[3] = {x[0], x[N], x[2 * N]};
  x[0] = NAN, x[N] = INFINITY, x[2 * N] = -INFINITY;
  if (compute(isa, activation)) {
    int j, reached = 0;
    for (j = 0; j < N; ++j) reached += isnan(y[j]) ? 1 : 0;
    expect(reached == N, "NaN in x does not reach all of y", isa_name(isa));
    expect(y[N] > 0 && isinf(y[N]), "infinity in x does not reach y", isa_name(isa));
    expect(y[2 * N] < 0 && isinf(y[2 * N]), "-infinity in x does not reach y", isa_name(isa));
  }
  x[0] = kept[0], x[N] = kept[1], x[2 * N] = kept[2];
}

int main(int argc, char** argv) {
  const idelta_activation kinds[] = {{IDELTA_ACTIVATION_IDENTITY, 0}, {IDELTA_ACTIVATION_LEAKY_RELU, 0.1f}};
  void* library;
  size_t i;
  int isa;
  if (argc != 2) return fprintf(stderr, "usage: fast_math <libidelta.so>\n"), 2;
  _mm_setcsr(DEFAULT_MODE);
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  expect(_mm_getcsr() == DEFAULT_MODE || _mm_getcsr() == 0, "loading it changes the floating-point mode", "library");
  SYMBOL(context_create);
  SYMBOL(delta_pack);
  SYMBOL(forward);
  SYMBOL(delta_destroy);
  SYMBOL(context_destroy);
  SYMBOL(isa_name);

  /* Without a pattern, and so that each sum rounds. */
  for (i = 0; i < N * N; ++i) D[i] = (float)((i * 7919) % 1009) / 5000.0f - 0.1f + 1e-4f;
  for (i = 0; i < M * N; ++i) x[i] = (float)((i * 6151) % 997) / 333.0f - 1.5f;
  for (i = 0; i < N; ++i) bias[i] = (float)i / 77.0f;
  for (i = 0; i < N; ++i) D[i] = 0.001f * (float)(i + 1); /* no entry that an infinity meets is 0 or negative */
  for (i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    for (isa = IDELTA_ISA_SCALAR; isa <= IDELTA_ISA_AMX; ++isa) {
      check_bits((idelta_isa)isa, kinds[i]);
      check_special((idelta_isa)isa, kinds[i]);
    }
  }
  return failures != 0;
}
