/* The library as a plug-in: unload_test <libidelta.so>. Loads it, has its threads compute, and unloads it, several
 * times: threads that outlive the code they run would crash the program, and those that are never joined hang it. */
#include <dlfcn.h>
#include <idelta/idelta.h>
#include <stdio.h>

enum { N = 256, M = 256, ROUNDS = 5 };
static float D[N * N], x[M * N], y[M * N];
/* The library's own workspace belongs to the thread and keeps the library until the thread ends. */
static _Alignas(64) float workspace[4 * M * N];

#define SYMBOL(name) *(void**)&name = dlsym(library, "idelta_" #name)

static int round_trip(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  idelta_status (*context_create)(const idelta_context_options*, idelta_context**);
  idelta_status (*delta_pack)(const idelta_context*, int64_t, const float*, int64_t, const idelta_delta_options*,
                              idelta_delta**);
  idelta_status (*forward)(const idelta_context*, const idelta_delta*, const idelta_forward_args*);
  void (*delta_destroy)(idelta_delta*);
  void (*context_destroy)(idelta_context*);
  idelta_context_options options = IDELTA_CONTEXT_OPTIONS_INIT;
  idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
  idelta_context* context = NULL;
  idelta_delta* delta = NULL;
  int failed;
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  SYMBOL(context_create);
  SYMBOL(delta_pack);
  SYMBOL(forward);
  SYMBOL(delta_destroy);
  SYMBOL(context_destroy);
  options.threads = 4;
  options.spin_us = 1000000; /* still spinning when the library goes */
  args.m = M, args.x = x, args.ldx = N, args.y = y, args.ldy = N;
  args.workspace = workspace, args.workspace_bytes = sizeof workspace;
  failed = context_create(&options, &context) || delta_pack(context, N, D, N, NULL, &delta) ||
           forward(context, delta, &args) || y[0] != x[0];
  delta_destroy(delta);
  context_destroy(context);
  if (dlclose(library)) return fprintf(stderr, "%s\n", dlerror()), 1;
  if (dlopen(path, RTLD_NOW | RTLD_NOLOAD)) return fprintf(stderr, "it is still loaded\n"), 1;
  return failed;
}

int main(int argc, char** argv) {
  int round;
  if (argc != 2) return fprintf(stderr, "usage: unload_test <libidelta.so>\n"), 2;
  x[0] = 1;
  for (round = 0; round < ROUNDS; ++round) {
    if (round_trip(argv[1])) return fprintf(stderr, "failed in round %d\n", round), 1;
  }
  return 0;
}
