// AUTO with a tolerance: what it considers, what it chooses, what it promises.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/low_rank.h"
#include "support/row_bounds.h"
#include "support/row_errors.h"

namespace idelta_test {
namespace {

constexpr int64_t n = 80;
using Candidates = std::vector<idelta_candidate>;

bool says(const std::string& words) { return std::string(idelta_last_error()).find(words) != std::string::npos; }

idelta_delta_options auto_options(double tolerance, int64_t expected_rows = 0) {
  idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
  options.tolerance = tolerance;
  options.expected_rows = expected_rows;
  return options;
}

Candidates candidates(const ContextPtr& context, const Matrix& D, const idelta_delta_options& options) {
  Candidates all(16, idelta_candidate IDELTA_CANDIDATE_INIT);
  int64_t count = 0;
  EXPECT_OK(idelta_delta_candidates(context.get(), D.cols(), D.data(), D.ld(), &options, all.data(),
                                    static_cast<int64_t>(all.size()), &count));
  all.resize(static_cast<size_t>(count));
  return all;
}

const idelta_candidate* chosen(const Candidates& all) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [](const idelta_candidate& c) { return c.verdict == IDELTA_VERDICT_CHOSEN; });
  return found == all.end() ? nullptr : &*found;
}

const idelta_candidate& of_format(const Candidates& all, idelta_format format, idelta_tail tail = IDELTA_TAIL_NONE) {
  return *std::find_if(all.begin(), all.end(),
                       [&](const idelta_candidate& c) { return c.format == format && c.tail == tail; });
}

void expect_same(const idelta_candidate& a, const idelta_candidate& b) {
  EXPECT_EQ(a.format, b.format);
  EXPECT_EQ(a.tail, b.tail);
  EXPECT_EQ(a.verdict, b.verdict);
  EXPECT_EQ(a.rank, b.rank);
  EXPECT_EQ(a.certificate, b.certificate);
  EXPECT_EQ(a.certificate_backward_data, b.certificate_backward_data);
  EXPECT_EQ(a.error, b.error);
  EXPECT_EQ(a.tolerance, b.tolerance);
  EXPECT_EQ(a.seconds, b.seconds);
}

// A D of which LOW_RANK takes a few columns.
Matrix trained_delta(uint64_t seed, int64_t width = n) {
  Random random(seed);
  Matrix D(width, width);
  fill_spectrum(D, falling_spectrum(width), random);
  return D;
}

// One whose singular values fall so slowly that only formats of one form hold it.
Matrix flat_delta(uint64_t seed) {
  Random random(seed);
  Matrix D(n, n);
  fill_delta(D, random);
  return D;
}

class Automatic : public ContextTest {
 protected:
  void expect_packed_as_said(const Matrix& D, double tolerance) {
    const idelta_delta_options options = auto_options(tolerance);
    const Candidates all = candidates(context, D, options);
    const idelta_candidate* const best = chosen(all);
    ASSERT_NE(nullptr, best) << tolerance;
    EXPECT_EQ(1,
              std::count_if(all.begin(), all.end(), [](const auto& c) { return c.verdict == IDELTA_VERDICT_CHOSEN; }));
    const idelta_delta_info_t info = info_of(context, pack(context, D, options));
    EXPECT_EQ(best->format, info.format) << tolerance;
    EXPECT_EQ(best->rank, info.rank) << tolerance;
    EXPECT_EQ(best->tail, info.tail) << tolerance;
    EXPECT_EQ(best->certificate, info.certificate) << tolerance;
    EXPECT_EQ(best->certificate_backward_data, info.certificate_backward_data) << tolerance;
    EXPECT_EQ(IDELTA_FORMAT_AUTO, info.asked);
  }
  void expect_the_least_time(const Matrix& D, double tolerance, int64_t rows) {
    const Candidates all = candidates(context, D, auto_options(tolerance, rows));
    ASSERT_TRUE(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.seconds < b.seconds; }));
    const idelta_candidate* const best = chosen(all);
    ASSERT_NE(nullptr, best);
    for (const idelta_candidate& c : all) {
      EXPECT_GT(c.seconds, 0);
      EXPECT_EQ(tolerance, c.tolerance);
      if (c.verdict == IDELTA_VERDICT_INEXACT) {
        EXPECT_GT(c.error, tolerance);
      }
      if (c.verdict == IDELTA_VERDICT_SLOWER) {
        EXPECT_GE(c.seconds, best->seconds);
      }
      if (c.verdict == IDELTA_VERDICT_CHOSEN) {
        EXPECT_LE(c.error, tolerance);
      }
      if (c.error <= tolerance) {
        EXPECT_GE(c.seconds, best->seconds);
      }
    }
  }
};

// Of a form that is packed by itself, to the bit.
TEST_F(Automatic, PacksTheCandidateThatIsSaidToBeChosen) {
  for (const double tolerance : {1e-1, 1e-2, 1e-3, 1e-5, IDELTA_TOLERANCE_SGEMM}) {
    expect_packed_as_said(trained_delta(1), tolerance);
    expect_packed_as_said(flat_delta(1), tolerance);
  }
}

TEST_F(Automatic, ChoosesTheLeastPredictedTimeOfAllThatAreWithin) {
  for (const double tolerance : {1e-1, 1e-2, 1e-3, 1e-4, 1e-5}) {
    for (const int64_t rows : {1, 16, 512}) {
      expect_the_least_time(trained_delta(2), tolerance, rows);
      expect_the_least_time(flat_delta(2), tolerance, rows);
    }
  }
}

// Whatever the choice is: the error of the directions that err most stays within the tolerance.
TEST_F(Automatic, NoRowErrsByMoreThanTheTolerance) {
  const Matrix D = trained_delta(3);
  for (const double tolerance : {1e-1, 1e-2, 1e-3, 1e-5}) {
    const DeltaPtr delta = pack(context, D, auto_options(tolerance));
    const Matrix stored(n, n), x(8, n);
    ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), stored.data(), stored.ld()));
    Dense error = dense(D);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) error(i, j) -= static_cast<double>(stored(i, j));
    }
    std::vector<double> worst(n);
    spectral_norm(error, &worst);
    Random random(4);
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < n; ++j) {
        x(i, j) = i == 0 ? static_cast<float>(worst[static_cast<size_t>(j)]) : random.uniform(-1, 1);
      }
    }
    for (const double row : row_errors(context, delta, x, dense(D), 1, Pass::kForward)) EXPECT_LE(row, tolerance);
    const Dense transposed = transpose(dense(D));
    for (const double row : row_errors(context, delta, x, transposed, 1, Pass::kBackwardData)) {
      EXPECT_LE(row, tolerance);
    }
  }
}

TEST_F(Automatic, TheSameChoiceEveryTimeAndForAnyThreadCount) {
  const Matrix D = trained_delta(5);
  const ContextPtr one = make_context(context_options(forced_isa(), 1));
  for (const double tolerance : {1e-2, 1e-4}) {
    const Candidates first = candidates(one, D, auto_options(tolerance));
    const Candidates again = candidates(one, D, auto_options(tolerance));
    ASSERT_EQ(first.size(), again.size());
    for (size_t i = 0; i < first.size(); ++i) expect_same(first[i], again[i]);
    // What was measured is the same with other threads; only what is predicted may differ.
    for (const idelta_candidate& c : candidates(context, D, auto_options(tolerance))) {
      const idelta_candidate& other = of_format(first, c.format, c.tail);
      if (other.rank == c.rank) {
        EXPECT_EQ(other.certificate, c.certificate);
      }
    }
  }
}

// One row streams D, so that a rank pays which costs as many multiply-adds as D has; many rows are bound by these.
TEST_F(Automatic, ExpectedRowsChangeTheChoiceAsTheyChangeWhatIsPredicted) {
  const Matrix D = trained_delta(6);
  bool differs = false;
  for (double tolerance = 1e-1; tolerance > 1e-6; tolerance *= 0.5) {
    const Candidates few = candidates(context, D, auto_options(tolerance, 1));
    const Candidates many = candidates(context, D, auto_options(tolerance, 4096));
    EXPECT_LT(of_format(few, IDELTA_FORMAT_F32).seconds, of_format(many, IDELTA_FORMAT_F32).seconds / 100);
    const idelta_candidate *a = chosen(few), *b = chosen(many);
    ASSERT_EQ(a == nullptr, b == nullptr);
    if (a) differs = differs || a->format != b->format || a->rank != b->rank;
  }
  EXPECT_TRUE(differs);
}

// 0 stands for a number that idelta.h states.
TEST_F(Automatic, ExpectedRowsAre128UnlessSaid) {
  const Matrix D = trained_delta(7);
  const Candidates unsaid = candidates(context, D, auto_options(1e-2)),
                   said = candidates(context, D, auto_options(1e-2, 128));
  ASSERT_EQ(unsaid.size(), said.size());
  for (size_t i = 0; i < said.size(); ++i) expect_same(unsaid[i], said[i]);
}

TEST_F(Automatic, ConsidersEveryFormOnce) {
  std::vector<std::string> expected = {"low_rank with tail"}, names;
  for (const idelta_format format : idelta::kinds_of(idelta_format_names(), idelta_format_by_name)) {
    if (format != IDELTA_FORMAT_AUTO) expected.push_back(idelta_format_name(format));
  }
  for (const idelta_candidate& c : candidates(context, trained_delta(20), auto_options(1e-2))) {
    names.push_back(idelta_format_name(c.format) + std::string(c.tail == IDELTA_TAIL_INT8 ? " with tail" : ""));
  }
  std::sort(expected.begin(), expected.end());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(expected, names);
}

TEST_F(Automatic, LowRankTakesTheLeastRankThatIsWithin) {
  const Matrix D = trained_delta(8);
  int tried = 0;
  for (const double tolerance : {0.11, 0.055, 0.02, 0.004}) {
    const Candidates all = candidates(context, D, auto_options(tolerance));
    const idelta_candidate& c = of_format(all, IDELTA_FORMAT_LOW_RANK);
    if (c.error > tolerance || c.rank < 2) continue;
    const idelta_delta_info_t lower = info_of(context, pack(context, D, low_rank_options(c.rank - 1)));
    EXPECT_GT(lower.certificate, tolerance);
    ++tried;
  }
  EXPECT_GT(tried, 0);
}

TEST_F(Automatic, WithoutATolerancePacksF32) {
  EXPECT_EQ(IDELTA_FORMAT_F32, info_of(context, pack(context, trained_delta(9), auto_options(0))).format);
}

TEST_F(Automatic, RefusesWhatNoFormHolds) {
  const Matrix D = trained_delta(10);
  const idelta_delta_options options = auto_options(1e-12);
  idelta_delta* delta = nullptr;
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), n, D.data(), D.ld(), &options, &delta));
  EXPECT_EQ(nullptr, delta);
  EXPECT_TRUE(says("tolerance = 1e-12") && says("of format") && says("ask for no less")) << idelta_last_error();
  const std::string said = idelta_last_error();
  const Candidates all = candidates(context, D, options);
  EXPECT_EQ(nullptr, chosen(all));
  const auto& best = *std::min_element(all.begin(), all.end(), [](auto& x, auto& y) { return x.error < y.error; });
  EXPECT_NE(std::string::npos, said.find(idelta_format_name(best.format) + std::string(";"))) << said;
  for (const idelta_candidate& c : all)
    EXPECT_TRUE(c.verdict == IDELTA_VERDICT_INEXACT || c.verdict == IDELTA_VERDICT_REPLACED);
}

TEST_F(Automatic, ADThatIsNotFiniteIsUnfitForLowRank) {
  const Matrix D = trained_delta(11);
  D(3, 4) = std::numeric_limits<float>::infinity();
  const Candidates all = candidates(context, D, auto_options(1e-2));
  EXPECT_EQ(IDELTA_VERDICT_UNFIT, of_format(all, IDELTA_FORMAT_LOW_RANK).verdict);
  EXPECT_STREQ("unfit", idelta_verdict_name(IDELTA_VERDICT_UNFIT));
}

// Rows in the span of the leading directions, of which truncation takes little.
Matrix easy_rows(const ContextPtr& context, const Matrix& D, int64_t m, int64_t rank, Random& random) {
  const FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(rank)));
  Matrix x(m, n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) x(i, j) = 0;
    for (int64_t k = 0; k < f.U.cols(); ++k) {
      const float size = random.uniform(-1, 1);
      for (int64_t j = 0; j < n; ++j) x(i, j) += size * f.U(j, k);
    }
  }
  return x;
}

TEST_F(Automatic, SampleRowsAdmitWhatTheWorstCaseRefuses) {
  const Matrix D = trained_delta(12);
  Random random(13);
  const Matrix x = easy_rows(context, D, 7, 4, random);
  for (int64_t j = 0; j < n; ++j) x(5, j) = 0;  // a row of zeros has no relative error
  idelta_delta_options options = low_rank_options(6, 1e-2);
  options.passes = IDELTA_PASS_FORWARD;
  idelta_delta* refused = nullptr;
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), n, D.data(), D.ld(), &options, &refused));
  options.format = IDELTA_FORMAT_AUTO;
  options.rank = 0;
  options.sample = x.data();
  options.sample_rows = x.rows();
  options.ld_sample = x.ld();
  const Candidates all = candidates(context, D, options);
  const idelta_candidate& sampled = of_format(all, IDELTA_FORMAT_LOW_RANK);
  EXPECT_LE(sampled.rank, 6);
  EXPECT_LE(sampled.error, 1e-2);
  EXPECT_GT(sampled.certificate, 1e-2);

  const DeltaPtr delta = pack(context, D, options);
  const BoundedRows rows = bounded_rows(context, delta, x, dense(D), 1);
  for (int64_t i = 0; i < x.rows(); ++i) {
    double squares = 0;
    for (int64_t j = 0; j < n; ++j) squares += std::pow(static_cast<double>(x(i, j)), 2);
    const double bound = rows.bounds[static_cast<size_t>(i)];
    if (squares > 0) {
      EXPECT_LE(bound, 1e-2 * std::sqrt(squares)) << i;
    }
  }
  expect_bounded(rows, "sample");
}

// The promise holds for what is packed later, by the same rows.
TEST_F(Automatic, RepackingJudgesByTheSampleOfPacking) {
  const Matrix D = trained_delta(14), other = trained_delta(15);
  Random random(16);
  idelta_delta_options options = low_rank_options(6, 1e-2);
  options.passes = IDELTA_PASS_FORWARD;
  DeltaPtr delta;
  {
    const Matrix x = easy_rows(context, D, 3, 4, random);
    options.sample = x.data();
    options.sample_rows = x.rows();
    options.ld_sample = x.ld();
    delta = pack(context, D, options);
  }
  ASSERT_OK(idelta_delta_repack(context.get(), delta.get(), D.data(), D.ld()));
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_repack(context.get(), delta.get(), other.data(), other.ld()));
  EXPECT_TRUE(says("sample")) << idelta_last_error();
}

TEST_F(Automatic, TheCertificateOfBackwardDataStillCountsBesideASample) {
  const Matrix D = trained_delta(17);
  Random random(18);
  const Matrix x = easy_rows(context, D, 3, 4, random);
  idelta_delta_options options = auto_options(1e-2);
  options.sample = x.data();
  options.sample_rows = x.rows();
  options.ld_sample = x.ld();
  for (const idelta_candidate& c : candidates(context, D, options)) {
    if (c.verdict == IDELTA_VERDICT_CHOSEN) {
      EXPECT_LE(c.certificate_backward_data, 1e-2);
    }
  }
}

TEST_F(Automatic, ArgumentsThatMakeNoSenseAreNamed) {
  const Matrix D = trained_delta(19), x(2, n);
  fill(x, [] { return 1.0f; });
  int64_t count = 0;
  const auto refused = [&](const idelta_delta_options& options, const std::string& word) {
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT,
              idelta_delta_candidates(context.get(), n, D.data(), D.ld(), &options, nullptr, 0, &count));
    EXPECT_TRUE(says(word)) << idelta_last_error();
  };
  refused(auto_options(0), "tolerance");
  refused(auto_options(1e-2, -1), "expected_rows = -1");
  idelta_delta_options options = auto_options(1e-2);
  options.format = IDELTA_FORMAT_BF16;
  refused(options, "bf16");
  options = auto_options(1e-2);
  options.sample_rows = 2;
  refused(options, "sample");
  options.sample = x.data();
  options.ld_sample = n - 1;
  refused(options, "ld_sample");
  options.ld_sample = x.ld();
  options.passes = IDELTA_PASS_BACKWARD_DATA;
  refused(options, "forward");
  options.passes = IDELTA_PASS_FORWARD;
  x(1, 2) = std::numeric_limits<float>::quiet_NaN();
  refused(options, "sample[1, 2]");
  const idelta_delta_options fine = auto_options(1e-2);
  ASSERT_OK(idelta_delta_candidates(context.get(), n, D.data(), D.ld(), &fine, nullptr, 0, &count));
  EXPECT_GT(count, 2);
  idelta_candidate few[2] = {IDELTA_CANDIDATE_INIT, IDELTA_CANDIDATE_INIT};
  few[1].struct_size = 8;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT,
            idelta_delta_candidates(context.get(), n, D.data(), D.ld(), &fine, few, 2, &count));
  EXPECT_TRUE(says("candidates[1]")) << idelta_last_error();
}

}  // namespace
}  // namespace idelta_test
