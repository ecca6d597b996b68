/* A C program outside the build: y = x + x D + b on two by two exact integers, with a contribution. */
#include <idelta/idelta.h>
#include <stdio.h>

int main(void) {
  const float D[4] = {1, 2, 3, 4};
  const float x[4] = {1, 0, 2, -1};
  const float bias[2] = {10, 20};
  const float expected_y[4] = {12, 22, 11, 19};
  const float expected_contribution[4] = {11, 22, 9, 20};
  float y[4], contribution[4];

  idelta_context* context = NULL;
  idelta_delta* delta = NULL;
  idelta_status status = idelta_context_create(NULL, &context);
  if (status == IDELTA_OK) status = idelta_delta_pack(context, 2, D, 2, NULL, &delta);
  if (status == IDELTA_OK) {
    idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
    args.m = 2;
    args.x = x;
    args.ldx = 2;
    args.bias = bias;
    args.y = y;
    args.ldy = 2;
    args.contribution = contribution;
    args.ldc = 2;
    status = idelta_forward(context, delta, &args);
  }
  if (status != IDELTA_OK) {
    fprintf(stderr, "%s: %s\n", idelta_status_name(status), idelta_last_error());
    return 1;
  }
  idelta_delta_destroy(delta);
  idelta_context_destroy(context);

  for (int i = 0; i < 4; ++i) {
    if (y[i] != expected_y[i] || contribution[i] != expected_contribution[i]) {
      fprintf(stderr, "element %d: y = %g, contribution = %g, not %g and %g\n", i, y[i], contribution[i], expected_y[i],
              expected_contribution[i]);
      return 1;
    }
  }
  printf("idelta %s\n", idelta_version());
  return 0;
}
