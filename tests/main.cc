// The main of every suite: forces the ISA that IDELTA_TEST_ISA names (the best one when it names none), says so, and
// exits with 77, which ctest reports as skipped, where the machine cannot run it.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "support/fixture.h"
#include "support/sanitized.h"

namespace idelta_test {
namespace {

constexpr int kSkipped = 77;

idelta_isa the_forced_isa = IDELTA_ISA_AUTO;

constexpr ForcedFormat kFormats[] = {{"f32", IDELTA_FORMAT_F32, IDELTA_BF16_PRODUCT_AUTO, false},
                                     {"bf16", IDELTA_FORMAT_BF16, IDELTA_BF16_PRODUCT_WIDENED, false},
                                     {"bf16_rounded", IDELTA_FORMAT_BF16, IDELTA_BF16_PRODUCT_ROUNDED, true},
                                     {"bf16x3", IDELTA_FORMAT_BF16X3, IDELTA_BF16_PRODUCT_AUTO, true},
                                     {"int8", IDELTA_FORMAT_INT8, IDELTA_BF16_PRODUCT_AUTO, true}};
const ForcedFormat* the_forced_format = kFormats;

bool choose_format(const char* name) {
  if (name == nullptr) return true;
  for (const ForcedFormat& format : kFormats) {
    if (std::strcmp(name, format.name) != 0) continue;
    the_forced_format = &format;
    return true;
  }
  return false;
}

// Linux lists AMX only where it saves tiles; GCC 12 has no name for it.
bool cpuinfo_lists(const std::string& flag) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string word; cpuinfo >> word;) {
    if (word == flag) return true;
  }
  return false;
}

// The machine's own word, so that a library that wrongly calls an ISA unsupported fails rather than skips.
bool machine_supports(idelta_isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
  if (isa == IDELTA_ISA_AVX2) return avx2;
  if (isa == IDELTA_ISA_AVX512) return avx512;
  if (isa == IDELTA_ISA_AMX && emulates_amx()) return avx512;
  if (isa == IDELTA_ISA_AMX) return avx512 && cpuinfo_lists("amx_tile") && cpuinfo_lists("amx_bf16");
#endif
  return isa == IDELTA_ISA_SCALAR;
}

// Sets the_forced_isa; false for a name that is not an ISA's.
bool choose_isa(const char* name) {
  for (const idelta_isa isa : idelta::kinds_of(idelta_isa_names(), idelta_isa_by_name)) {
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

TEST(ForcedFormat, TookEffect) {
  const ContextPtr context = make_context();
  const Matrix D(3, 3);
  fill(D, [] { return 1.0f; });
  EXPECT_EQ(forced_format().format, info_of(context, pack(context, D)).format);
}

}  // namespace

idelta_isa forced_isa() { return the_forced_isa; }
const ForcedFormat& forced_format() { return *the_forced_format; }
[[gnu::weak]] bool emulates_amx() { return false; }
bool reduced() { return forced_isa() == IDELTA_ISA_SCALAR || emulates_amx() || IDELTA_TEST_SANITIZED; }

}  // namespace idelta_test

// Sanitizers: an allocation that is too large returns null, as it does without them.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the sanitizers' names
const char* __asan_default_options() { return "allocator_may_return_null=1"; }
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
// NOLINTEND(bugprone-reserved-identifier)
}

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const char* name = std::getenv("IDELTA_TEST_ISA");
  if (!idelta_test::choose_isa(name)) {
    std::fprintf(stderr, "IDELTA_TEST_ISA=%s is not an ISA\n", name);
    return EXIT_FAILURE;
  }
  const char* format = std::getenv("IDELTA_TEST_FORMAT");
  if (!idelta_test::choose_format(format)) {
    std::fprintf(stderr, "IDELTA_TEST_FORMAT=%s is not a format\n", format);
    return EXIT_FAILURE;
  }
  const idelta_isa isa = idelta_test::forced_isa();
  std::printf("forced ISA: %s, format: %s\n", idelta_isa_name(isa), idelta_test::forced_format().name);
  if (!idelta_test::machine_supports(isa)) {
    const idelta_context_options options = idelta_test::context_options(isa);
    idelta_context* context = nullptr;
    const idelta_status status = idelta_context_create(&options, &context);
    std::printf("skipped: this machine does not run %s (%s)\n", idelta_isa_name(isa), idelta_last_error());
    return status == IDELTA_UNSUPPORTED ? idelta_test::kSkipped : EXIT_FAILURE;
  }
  return RUN_ALL_TESTS();
}
