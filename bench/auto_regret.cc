// See auto_regret.h.
#include "bench/auto_regret.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include "bench/decaying.h"
#include "bench/forms.h"
#include "bench/implementations/idelta.h"
#include "bench/random.h"
#include "bench/sampled_rows.h"

namespace idelta::bench {

namespace {

// By name. "f32" is a little more than F32's own certificate, so that F32 fits.
std::vector<std::pair<std::string, double>> tolerances_for(const Context& context, int64_t n, const Buffer& D) {
  const double of_f32 = packed_form(context, n, D.data(), {.format = IDELTA_FORMAT_F32}).delta->info().certificate;
  std::vector<std::pair<std::string, double>> all;
  for (const double tolerance : {1e-1, 2e-2, 5e-3, 1e-3, 1e-4}) {
    char text[16];
    std::snprintf(text, sizeof text, "%g", tolerance);
    if (tolerance > 1.01 * of_f32) all.emplace_back(text, tolerance);
  }
  all.emplace_back("f32", 1.01 * of_f32);
  all.emplace_back("sgemm", IDELTA_TOLERANCE_SGEMM);
  return all;
}

// All forms of one shape, each once, and their times once measured.
class Forms {
 public:
  // Returns where the form is.
  size_t add(PackedForm form) {
    for (size_t i = 0; i < forms_.size(); ++i) {
      if (forms_[i].name == form.name) return i;
    }
    forms_.push_back(std::move(form));
    return forms_.size() - 1;
  }

  // Throws if one errs by more than its certificate.
  void measure(int64_t n, int64_t m, const Buffer& D, const RoundRobinOptions& timing) {
    Random random(uint64_t(n + m));
    const Buffer x = random_buffer(random, m * n, 1.0f);
    Buffer y(m * n);
    std::vector<Participant> participants;
    for (const PackedForm& form : forms_) {
      participants.push_back({.run =
                                  [&, delta = form.delta.get()] {
                                    delta->forward({.m = m, .x = x.data(), .ldx = n, .y = y.data(), .ldy = n});
                                  },
                              .prepare = nullptr});
    }
    for (const std::vector<double>& of : round_robin(participants, timing).seconds) {
      seconds_.push_back(quartiles(of).median);
    }
    const SampledRows rows(m, n, x, D, [](double z, int64_t) { return z; });
    for (size_t i = 0; i < forms_.size(); ++i) {
      participants[i].run();
      rows.largest_error(forms_[i].name, y, forms_[i].delta->info().certificate);
    }
  }

  const std::string& name(size_t i) const { return forms_[i].name; }
  double seconds(size_t i) const { return seconds_[i]; }

 private:
  std::vector<PackedForm> forms_;
  std::vector<double> seconds_;
};

// What AUTO chose at a tolerance, and what fits.
struct Case {
  std::string tolerance;
  size_t chosen;
  double predicted;
  std::vector<size_t> fitting;
};

double predicted_seconds(const std::vector<Candidate>& all) {
  for (const Candidate& candidate : all) {
    if (candidate.verdict == IDELTA_VERDICT_CHOSEN) return candidate.seconds;
  }
  return 0.0;
}

// A rank a quarter beyond what AUTO tried is one that its prediction may have been wrong about; one further beyond is
// slower for certain, and takes long to find.
int64_t most_rank(const Candidate& candidate) {
  return candidate.rank > 0 ? candidate.rank + candidate.rank / 4 + 8 : 0;
}

// None where nothing fits.
std::optional<Case> case_of(const Context& context, int64_t n, const Buffer& D, DeltaOptions options,
                            const std::string& name, Forms& forms) {
  std::optional<PackedForm> chosen = packed_within(context, n, D.data(), options);
  if (!chosen) return std::nullopt;
  const std::vector<Candidate> all = candidates(context, n, D.data(), n, options);
  Case result{name, forms.add(*std::move(chosen)), predicted_seconds(all), {}};
  result.fitting.push_back(result.chosen);
  for (const Candidate& candidate : all) {
    options.format = candidate.format;
    options.tail = candidate.tail;
    options.rank = std::min(n, most_rank(candidate));
    if (std::optional<PackedForm> form = packed_within(context, n, D.data(), options)) {
      result.fitting.push_back(forms.add(*std::move(form)));
    }
  }
  return result;
}

void measure_shape(const Shape& shape, int threads, RoundRobinOptions timing, std::vector<RegretRow>& rows) {
  const auto& [n, m] = shape;
  const Context& context = context_for(IDELTA_ISA_AUTO, threads);
  const Buffer D = decaying_delta(n);
  Forms forms;
  std::vector<Case> cases;
  for (const auto& [name, tolerance] : tolerances_for(context, n, D)) {
    DeltaOptions options = kDeltaOptions;
    options.passes = IDELTA_PASS_FORWARD;
    options.expected_rows = m;
    options.tolerance = tolerance;
    if (std::optional<Case> one = case_of(context, n, D, options, name, forms)) cases.push_back(*std::move(one));
  }
  timing.settles = threads > 1;
  forms.measure(n, m, D, timing);
  for (const Case& one : cases) {
    const size_t fastest = *std::min_element(one.fitting.begin(), one.fitting.end(),
                                             [&](size_t a, size_t b) { return forms.seconds(a) < forms.seconds(b); });
    const RegretRow& row =
        rows.emplace_back(RegretRow{n, m, threads, one.tolerance, forms.name(one.chosen), forms.name(fastest),
                                    one.predicted, forms.seconds(one.chosen), forms.seconds(fastest)});
    std::printf("%5lld %5lld %7d  %-9s %-11s %10.2f %10.2f  %-11s %10.2f %6.1f %%\n", static_cast<long long>(n),
                static_cast<long long>(m), threads, row.tolerance.c_str(), row.chosen.c_str(), 1e6 * row.predicted,
                1e6 * row.seconds, row.fastest.c_str(), 1e6 * row.fastest_seconds, 100 * row.regret());
    std::fflush(stdout);
  }
}

}  // namespace

std::vector<RegretRow> measure_regret(const RegretOptions& options) {
  std::printf("    n     m threads  tolerance chosen       predicted         us  fastest             us  regret\n");
  std::vector<RegretRow> rows;
  for (const int threads : options.threads) {
    for (const Shape& shape : options.shapes) measure_shape(shape, threads, options.timing, rows);
  }
  return rows;
}

double mean_regret(const std::vector<RegretRow>& rows) {
  double sum = 0.0;
  for (const RegretRow& row : rows) sum += row.regret();
  return rows.empty() ? 0.0 : sum / double(rows.size());
}

std::string to_summary(const std::vector<RegretRow>& rows) {
  if (rows.empty()) return "nothing fits\n";
  const auto by_regret = [](const RegretRow& a, const RegretRow& b) { return a.regret() < b.regret(); };
  const RegretRow& worst = *std::max_element(rows.begin(), rows.end(), by_regret);
  const auto within = std::count_if(rows.begin(), rows.end(), [](const RegretRow& row) { return row.regret() <= 0.1; });
  char text[200];
  std::snprintf(text, sizeof text,
                "AUTO is within 10 %% of the fastest form that fits in %lld of %zu cases; mean regret %.1f %%, largest "
                "%.1f %% at n %lld, m %lld, %d threads, tolerance %s\n",
                static_cast<long long>(within), rows.size(), 100 * mean_regret(rows), 100 * worst.regret(),
                static_cast<long long>(worst.n), static_cast<long long>(worst.m), worst.threads,
                worst.tolerance.c_str());
  return text;
}

}  // namespace idelta::bench
