// IDELTA_CACHES: with caches of a few KiB small products cross every block edge of k, rows and panels. The results must
// have the bits of the machine's own caches (bitwise_test and forward_test say that those are right).
#include <cstring>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/runs.h"

namespace idelta_test {
namespace {

using CachesTest = ContextTest;

ContextPtr toy_context(const char* caches, int32_t threads = 1) {
  const ScopedEnvironment environment("IDELTA_CACHES", caches);
  return make_context(context_options(forced_isa(), threads));
}

TEST_F(CachesTest, BlockEdgesChangeNoBit) {
  const std::vector<int64_t> widths = reduced()
                                          ? std::vector<int64_t>{33, 65, 130}
                                          : std::vector<int64_t>{1, 15, 16, 17, 31, 33, 48, 63, 64, 65, 97, 130, 257};
  for (const char* caches : {"1,1,1", "512,2048,8192", kToyCaches}) {
    const ContextPtr toy = toy_context(caches);
    for (const int64_t n : widths) {
      for (const int64_t m : {1, 13, 14, 15, 31, 90}) {
        SCOPED_TRACE(std::string("caches ") + caches + " m " + std::to_string(m) + " n " + std::to_string(n));
        expect_same_bits(run_every_pass(context, {m, n}), run_every_pass(toy, {m, n}));
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(CachesTest, BlockEdgesMeetThreads) {
  const Problem problem{200, reduced() ? 150 : 300};
  const Bits expected = run_every_pass(context, problem);
  for (const int32_t threads : {2, 3, 8}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    expect_same_bits(expected, run_every_pass(toy_context(kToyCaches, threads), problem));
  }
}

TEST_F(CachesTest, DescribeShowsWhatIsUsed) {
  const std::string text = idelta_context_describe(toy_context(kToyCaches).get());
  EXPECT_NE(std::string::npos, text.find("IDELTA_CACHES")) << text;
}

TEST_F(CachesTest, MalformedSizesAreRefused) {
  for (const char* caches : {"1", "1,2", "1,2,", "a,b,c", "0,1,1", "-1,2,3", "1;2;3", "1,2,3x", "1,2,3,4", "1, 2,3",
                             "1,2,+3", "9223372036854775807,1,1", "1,2,9223372036854775808"}) {
    const ScopedEnvironment environment("IDELTA_CACHES", caches);
    idelta_context* made = nullptr;
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_context_create(nullptr, &made)) << '"' << caches << '"';
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "IDELTA_CACHES")) << idelta_last_error();
    idelta_context_destroy(made);
  }
}

}  // namespace
}  // namespace idelta_test
