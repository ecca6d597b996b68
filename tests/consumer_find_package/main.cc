// A C++ program outside the build: y = relu(x + x D) on two by two exact integers.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <idelta/idelta.hpp>

int main() try {
  const float D[] = {1, 2, 3, 4};
  const float x[] = {1, 0, 2, -1};
  const float expected[] = {2, 2, 1, 0};  // x + x D = 2 2 / 1 -1
  float y[4];

  const idelta::Context context;
  const idelta::Delta delta(context, 2, D, 2);
  delta.forward({.m = 2, .x = x, .ldx = 2, .activation = {IDELTA_ACTIVATION_RELU, 0}, .y = y, .ldy = 2});
  if (!std::equal(y, y + 4, expected)) {
    std::fprintf(stderr, "wrong result: y = %g %g %g %g\n", y[0], y[1], y[2], y[3]);
    return 1;
  }
  std::printf("idelta %s\n", idelta_version());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
