// What the cost model predicts of a form without a D.
#include <string>
#include <vector>

#include "support/low_rank.h"

namespace idelta_test {
namespace {

constexpr int64_t n = 80;

class PredictedSeconds : public ContextTest {
 protected:
  double predicted(const idelta_delta_options& options, const ContextPtr& of, int32_t threads = 0) const {
    double seconds = -1;
    EXPECT_OK(idelta_predicted_seconds(of.get(), n, &options, threads, &seconds));
    return seconds;
  }
  void expect_refused(const idelta_delta_options* options, double* seconds, const std::string& words,
                      int32_t threads = 0) const {
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_predicted_seconds(context.get(), n, options, threads, seconds));
    EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find(words)) << idelta_last_error();
  }
};

// Whether or not this machine runs the format.
TEST_F(PredictedSeconds, AreThoseOfACandidateOfThatForm) {
  Random random(1);
  const Matrix D(n, n);
  fill_spectrum(D, falling_spectrum(n), random);
  std::vector<idelta_candidate> all(16, idelta_candidate IDELTA_CANDIDATE_INIT);
  for (const int64_t rows : {1, 16, 512}) {
    idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
    options.tolerance = 1e-2, options.expected_rows = rows;
    int64_t count = 0;
    ASSERT_OK(idelta_delta_candidates(context.get(), n, D.data(), n, &options, all.data(),
                                      static_cast<int64_t>(all.size()), &count));
    for (int64_t i = 0; i < count; ++i) {
      const idelta_candidate& c = all[static_cast<size_t>(i)];
      options.format = c.format, options.rank = c.rank, options.tail = c.tail;
      EXPECT_EQ(c.seconds, predicted(options, context)) << idelta_format_name(c.format) << ' ' << rows;
    }
  }
}

TEST_F(PredictedSeconds, GrowWithRankTailAndRows) {
  idelta_delta_options options = low_rank_options(0);
  const double nothing = predicted(options, context);
  EXPECT_GT(nothing, 0);
  options.rank = n;
  const double factors = predicted(options, context);
  EXPECT_GT(factors, 1.5 * nothing);
  options.tail = IDELTA_TAIL_INT8;
  const double both = predicted(options, context);
  EXPECT_GT(both, factors);
  options.expected_rows = 100 * 128;
  EXPECT_GT(predicted(options, context, 1), 50 * both);
}

TEST_F(PredictedSeconds, OfOneThreadAreThoseOfAContextThatHasOne) {
  const ContextPtr one = make_context(context_options(forced_isa(), 1)),
                   three = make_context(context_options(forced_isa(), 3));
  idelta_delta_options options = low_rank_options(8);
  options.expected_rows = 4096;
  EXPECT_EQ(predicted(options, one), predicted(options, three, 1));
  EXPECT_EQ(predicted(options, one), predicted(options, one, 1));
  EXPECT_LT(predicted(options, three), predicted(options, one));
}

TEST_F(PredictedSeconds, AreOfOneForm) {
  double seconds = -1;
  expect_refused(nullptr, &seconds, "format = auto");
  idelta_delta_options options = low_rank_options(n + 1);
  expect_refused(&options, &seconds, "rank = 81");
  options = low_rank_options(1);
  expect_refused(&options, nullptr, "seconds");
  expect_refused(&options, &seconds, "threads = 2", 2);
  expect_refused(&options, &seconds, "threads = -1", -1);
  options.expected_rows = INT64_MAX;
  expect_refused(&options, &seconds, "expected_rows = 9223372036854775807");
  EXPECT_EQ(-1, seconds);
}

}  // namespace
}  // namespace idelta_test
