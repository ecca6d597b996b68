// Contexts: which ISA and how many threads come of the options and the environment, and what is said about it.
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "support/fixture.h"

namespace idelta_test {
namespace {

std::vector<idelta_isa> isas() {
  std::vector<idelta_isa> all = idelta::kinds_of(idelta_isa_names(), idelta_isa_by_name);
  all.erase(all.begin());  // auto
  return all;
}

struct Made {
  idelta_status status;
  ContextPtr context;
};
Made create(const idelta_context_options& options) {
  idelta_context* context = nullptr;
  const idelta_status status = idelta_context_create(&options, &context);
  return {status, ContextPtr(context)};
}
bool runs(idelta_isa isa) { return create(context_options(isa)).status == IDELTA_OK; }

void expect_error(idelta_status expected, const idelta_context_options& options, const std::string& first,
                  const std::string& second) {
  const Made made = create(options);
  EXPECT_EQ(expected, made.status);
  EXPECT_EQ(nullptr, made.context);
  for (const std::string& part : {first, second}) {
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), part.c_str())) << part << ": " << idelta_last_error();
  }
}

TEST(Context, NullOptionsAreTheDefaults) {
  idelta_context* context = nullptr;
  ASSERT_OK(idelta_context_create(nullptr, &context));
  EXPECT_EQ(idelta_context_isa(make_context(context_options(IDELTA_ISA_AUTO)).get()), idelta_context_isa(context));
  idelta_context_destroy(context);
}

TEST(Context, AutoIsTheBestThatRuns) {
  idelta_isa best = IDELTA_ISA_SCALAR;
  for (const idelta_isa isa : isas()) {
    if (runs(isa)) best = isa;
  }
  EXPECT_EQ(best, idelta_context_isa(make_context(context_options(IDELTA_ISA_AUTO)).get()));
}

TEST(Context, EnvironmentLowersAuto) {
  const ScopedEnvironment environment("IDELTA_ISA", idelta_isa_name(forced_isa()));
  const ContextPtr context = make_context(context_options(IDELTA_ISA_AUTO));
  EXPECT_EQ(forced_isa(), idelta_context_isa(context.get()));
  EXPECT_NE(nullptr, std::strstr(idelta_context_describe(context.get()), "IDELTA_ISA"));
}

TEST(Context, EnvironmentDoesNotTouchAForcedIsa) {
  for (const idelta_isa isa : isas()) {
    const ScopedEnvironment environment("IDELTA_ISA", idelta_isa_name(isa));
    if (!runs(isa)) continue;
    EXPECT_EQ(forced_isa(), idelta_context_isa(make_context().get()));
  }
}

// Which are missing depends on the machine; main.cc holds the library to the machine's own word for the forced ISA.
TEST(Context, UnsupportedIsaIsAnErrorForcedOrFromTheEnvironment) {
  int missing = 0;
  for (const idelta_isa isa : isas()) {
    if (runs(isa)) continue;
    ++missing;
    expect_error(IDELTA_UNSUPPORTED, context_options(isa), "isa", idelta_isa_name(isa));
    const ScopedEnvironment environment("IDELTA_ISA", idelta_isa_name(isa));
    expect_error(IDELTA_UNSUPPORTED, context_options(IDELTA_ISA_AUTO), "IDELTA_ISA", idelta_isa_name(isa));
  }
  if (missing == 0) GTEST_SKIP() << "this machine runs every ISA";
}

// A value that means nothing, of every variable: none is taken for another one, nor for unset.
TEST(Context, UnreadableEnvironmentIsAnErrorThatNamesVariableValueAndWhatIsAllowed) {
  struct Row {
    const char* name;
    std::vector<const char*> values;
    const char* allowed;
  };
  const Row rows[] = {
      {"IDELTA_ISA", {"avx1024", "AVX2", "avx2 ", "1"}, idelta_isa_names()},
      {"IDELTA_AMX", {"refuse", "0", "yes"}, "refused"},
      {"IDELTA_BF16", {"round", "Widened", "1"}, idelta_bf16_product_names()},
      {"IDELTA_THREADS", {"many", "0", "-2", "2.5", "2 ", "99999999999"}, "from 1 to 2147483647"},
      {"IDELTA_SPIN_US", {"long", "-1", "2.5", "2 ", "+1", "99999999999"}, "from 0 to 2147483647"},
      {"IDELTA_BIND", {"yes", "2", "01"}, "0 or 1"},
      {"IDELTA_CACHES", {"none", "1,2"}, "three sizes in bytes"},
  };
  for (const Row& row : rows) {
    for (const char* value : row.values) {
      const ScopedEnvironment environment(row.name, value);
      expect_error(IDELTA_INVALID_ARGUMENT, context_options(IDELTA_ISA_AUTO), row.name, row.allowed);
      EXPECT_NE(nullptr, std::strstr(idelta_last_error(), value)) << value << ": " << idelta_last_error();
    }
  }
}

// `IDELTA_THREADS= program` is how a shell takes a variable away.
TEST(Context, EmptyVariablesAreUnset) {
  const std::string unset = idelta_context_describe(make_context(context_options(IDELTA_ISA_AUTO)).get());
  for (const char* name : {"IDELTA_ISA", "IDELTA_AMX", "IDELTA_BF16", "IDELTA_THREADS", "IDELTA_SPIN_US", "IDELTA_BIND",
                           "IDELTA_CACHES"}) {
    const ScopedEnvironment environment(name, "");
    EXPECT_EQ(unset, idelta_context_describe(make_context(context_options(IDELTA_ISA_AUTO)).get())) << name;
  }
}

TEST(Context, BadOptionsAreNamed) {
  expect_error(IDELTA_INVALID_ARGUMENT, context_options(static_cast<idelta_isa>(77)), "isa", "77");
  expect_error(IDELTA_INVALID_ARGUMENT, context_options(static_cast<idelta_isa>(-1)), "isa", "-1");
  expect_error(IDELTA_INVALID_ARGUMENT, context_options(IDELTA_ISA_AUTO, -3), "threads", "-3");
  idelta_context_options options = context_options();
  options.spin_us = -2;
  expect_error(IDELTA_INVALID_ARGUMENT, options, "spin_us", "-2");
  options = context_options();
  for (const size_t size : {size_t{0}, size_t{8}, sizeof options + 8}) {
    options.struct_size = size;
    expect_error(IDELTA_INVALID_ARGUMENT, options, "struct_size", std::to_string(size));
  }
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_context_create(nullptr, nullptr));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "context")) << idelta_last_error();
}

TEST(Context, ThreadsAreWhatWasAsked) {
  for (const int32_t threads : {1, 3, 64}) {
    EXPECT_EQ(threads, idelta_context_threads(make_context(context_options(forced_isa(), threads)).get()));
  }
}

TEST(Context, DefaultThreadsAreWithinTheMachine) {
  const int32_t threads = idelta_context_threads(make_context().get());
  EXPECT_GE(threads, 1);
  EXPECT_LE(threads, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

TEST(Context, EnvironmentLowersDefaultThreads) {
  const int32_t unlimited = idelta_context_threads(make_context().get());
  {
    const ScopedEnvironment environment("IDELTA_THREADS", "1");
    EXPECT_EQ(1, idelta_context_threads(make_context().get()));
    EXPECT_EQ(5, idelta_context_threads(make_context(context_options(forced_isa(), 5)).get())) << "asked for outright";
  }
  const ScopedEnvironment environment("IDELTA_THREADS", "10000");
  EXPECT_EQ(unlimited, idelta_context_threads(make_context().get()));
}

TEST(Context, SpinTimeComesFromOptionsEnvironmentOrDefault) {
  const auto described = [](int32_t spin_us, int32_t threads = 1) {
    idelta_context_options options = context_options(forced_isa(), threads);
    options.spin_us = spin_us;
    const ContextPtr context = make_context(options);
    const std::string text = idelta_context_describe(context.get());
    const size_t spins = text.find("spins for ");
    return spins == std::string::npos ? text : text.substr(spins);
  };
  EXPECT_EQ(0u, described(-1).find("spins for 100 us")) << described(-1);
  EXPECT_EQ(0u, described(-1, 10000).find("spins for 0 us")) << "more threads than cores: " << described(-1, 10000);
  EXPECT_EQ(0u, described(0).find("spins for 0 us"));
  EXPECT_EQ(0u, described(2500).find("spins for 2500 us"));
  const ScopedEnvironment environment("IDELTA_SPIN_US", "7");
  EXPECT_EQ(0u, described(-1).find("spins for 7 us"));
  EXPECT_EQ(0u, described(0).find("spins for 0 us")) << "asked for outright";
}

TEST(Context, BindingTellsTheDomainsOfTheMachine) {
  EXPECT_EQ(nullptr, std::strstr(idelta_context_describe(make_context().get()), "Domains"));
  const ScopedEnvironment machine("HWLOC_SYNTHETIC", "numa:2 l3:3 core:4 pu:2");  // hwloc believes in it
  {
    const ScopedEnvironment environment("IDELTA_BIND", "1");
    const Made made = create(context_options());
    if (made.status == IDELTA_UNSUPPORTED) GTEST_SKIP() << "built without hwloc";
    const std::string text = idelta_context_describe(made.context.get());
    EXPECT_NE(std::string::npos, text.find("3 on node 0 of 4 4 4 cores, 3 on node 1 of 4 4 4 cores")) << text;
  }
  const ScopedEnvironment environment("IDELTA_BIND", "0");
  EXPECT_EQ(nullptr, std::strstr(idelta_context_describe(make_context().get()), "Domains"));
}

TEST(Context, DescribesIsaCachesAndThreadsALineEach) {
  const ContextPtr context = make_context(context_options(forced_isa(), 7));
  const std::string text = idelta_context_describe(context.get());
  for (const char* part : {"CPU", "ISA", "INT8", "Caches", "Threads", idelta_isa_name(forced_isa()), "7"}) {
    EXPECT_NE(std::string::npos, text.find(part)) << part << " in:\n" << text;
  }
}

// What Linux calls them, against what CPUID said to the library.
TEST(Context, DescribesWhatAvx512Offers) {
  const std::string text = idelta_context_describe(make_context().get());
  const size_t begin = text.find("AVX-512  ") + 9;
  const std::string line = text.substr(begin, text.find('\n', begin) - begin);
  if (line.find("available") != 0) GTEST_SKIP() << line;
  std::ifstream cpuinfo("/proc/cpuinfo");
  bool bf16 = false, vnni = false;
  for (std::string word; cpuinfo >> word;) bf16 |= word == "avx512_bf16", vnni |= word == "avx512_vnni";
  EXPECT_EQ(std::string("available: F BW DQ VL") + (bf16 ? " BF16" : "") + (vnni ? " VNNI" : ""), line);
}

TEST(Context, DestroyingNullIsANoOp) {
  idelta_context_destroy(nullptr);
  idelta_delta_destroy(nullptr);
}

TEST(Names, OfIsasAndStatuses) {
  EXPECT_STREQ("scalar", idelta_isa_name(IDELTA_ISA_SCALAR));
  EXPECT_STREQ("avx2", idelta_isa_name(IDELTA_ISA_AVX2));
  EXPECT_STREQ("avx512", idelta_isa_name(IDELTA_ISA_AVX512));
  EXPECT_STREQ("amx", idelta_isa_name(IDELTA_ISA_AMX));
  EXPECT_STREQ("bf16x3", idelta_format_name(IDELTA_FORMAT_BF16X3));
  EXPECT_STREQ("unknown format", idelta_format_name(static_cast<idelta_format>(77)));
  EXPECT_STREQ("OK", idelta_status_name(IDELTA_OK));
  EXPECT_STREQ("INVALID_ARGUMENT", idelta_status_name(IDELTA_INVALID_ARGUMENT));
  EXPECT_STREQ("OUT_OF_MEMORY", idelta_status_name(IDELTA_OUT_OF_MEMORY));
  EXPECT_STREQ("UNSUPPORTED", idelta_status_name(IDELTA_UNSUPPORTED));
  EXPECT_STREQ("TOLERANCE_NOT_MET", idelta_status_name(IDELTA_TOLERANCE_NOT_MET));
  EXPECT_STREQ("INTERNAL", idelta_status_name(IDELTA_INTERNAL));
  EXPECT_NE(nullptr, idelta_status_name(static_cast<idelta_status>(99)));
  EXPECT_NE(nullptr, idelta_isa_name(static_cast<idelta_isa>(99)));
}

TEST(LastError, BelongsToTheThread) {
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_context_create(nullptr, nullptr));
  const std::string here = idelta_last_error();
  EXPECT_FALSE(here.empty());
  std::thread([] { EXPECT_STREQ("", idelta_last_error()); }).join();
  EXPECT_EQ(here, idelta_last_error());
}

}  // namespace
}  // namespace idelta_test
