// The main of every suite: forces the ISA that IDELTA_TEST_ISA names (the best one when it names none), says so, and
// exits with 77, which ctest reports as skipped, where the machine cannot run it.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "support/fixture.h"

namespace idelta_test {
namespace {

constexpr int kSkipped = 77;
constexpr idelta_isa kIsas[] = {IDELTA_ISA_SCALAR, IDELTA_ISA_AVX2, IDELTA_ISA_AVX512};

idelta_isa the_forced_isa = IDELTA_ISA_AUTO;

// The machine's own word, so that a library that wrongly calls an ISA unsupported fails rather than skips.
bool machine_supports(idelta_isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (isa == IDELTA_ISA_AVX2) return avx2;
  if (isa == IDELTA_ISA_AVX512) {
    return avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
  }
#endif
  return isa == IDELTA_ISA_SCALAR;
}

// Sets the_forced_isa; false for a name that is not an ISA's.
bool choose_isa(const char* name) {
  for (const idelta_isa isa : kIsas) {
    const bool chosen = name != nullptr ? std::strcmp(name, idelta_isa_name(isa)) == 0 : machine_supports(isa);
    if (chosen) the_forced_isa = isa;
  }
  return the_forced_isa != IDELTA_ISA_AUTO;
}

TEST(ForcedIsa, TookEffect) {
  const ContextPtr context = make_context();
  ASSERT_NE(nullptr, context);
  EXPECT_EQ(forced_isa(), idelta_context_isa(context.get()));
}

}  // namespace

idelta_isa forced_isa() { return the_forced_isa; }

}  // namespace idelta_test

// Address sanitizer: an allocation that is too large returns null, as it does without the sanitizer.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizer's name for it
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const char* name = std::getenv("IDELTA_TEST_ISA");
  if (!idelta_test::choose_isa(name)) {
    std::fprintf(stderr, "IDELTA_TEST_ISA=%s is not an ISA\n", name);
    return EXIT_FAILURE;
  }
  const idelta_isa isa = idelta_test::forced_isa();
  std::printf("forced ISA: %s\n", idelta_isa_name(isa));
  if (!idelta_test::machine_supports(isa)) {
    const idelta_context_options options = idelta_test::context_options(isa);
    idelta_context* context = nullptr;
    const idelta_status status = idelta_context_create(&options, &context);
    std::printf("skipped: this machine does not run %s (%s)\n", idelta_isa_name(isa), idelta_last_error());
    return status == IDELTA_UNSUPPORTED ? idelta_test::kSkipped : EXIT_FAILURE;
  }
  return RUN_ALL_TESTS();
}
