// Names and table of network.h.
#include <algorithm>

#include "bench/network.h"
#include "bench/text.h"

namespace idelta::bench {

namespace {

constexpr const char* kLegend =
    R"(Labels of a whole set by a trained network, from images in [0, 1] to the argmax: padding to n, conversions, all
layers, of the last the class columns. rows/s: median of interleaved rounds, at the batch size and in the variant (W =
a I + D, or D with x apart) that was fastest in an untimed trial of 128, 256, 512 and 1024 rows. / idelta: speed over
idelta's dense network in f32, median (quartiles) of each round's own ratio; / f32 and / best: over the fastest peer in
f32, and in any format. differ: labels other than idelta's dense network gives in f32. Dense peers may differ where its
logits are nearer to each other than roundings; idelta_guarantee may nowhere; idelta_first_form proves nothing.
idelta_calls and idelta_chain are the kernels called by hand, for each layer and for all layers at once.
)";

void append_ratio(std::string& text, const NetworkImplementation* theirs, const NetworkImplementation& own) {
  if (theirs == nullptr || !theirs->failure.empty()) {
    append(text, "  %17s", "-");
    return;
  }
  const Quartiles ratio = quartiles(ratios(theirs->seconds, own.seconds));
  append(text, "  %5.2f (%4.2f-%4.2f)", ratio.median, ratio.low, ratio.high);
}

const NetworkImplementation* dense_of(const NetworkResult& result) {
  for (const NetworkImplementation& implementation : result.implementations) {
    if (implementation.title == "idelta") return &implementation;
  }
  return nullptr;
}

void append_settled(std::string& text, const NetworkImplementation& implementation, int64_t images) {
  if (implementation.settled.empty()) return;
  append(text, "  %s: settled by", implementation.title.c_str());
  const char* before = "";
  for (const SettledRows& rows : implementation.settled) {
    append(text, "%s %s %d of %d (%.2f %% of all)", before, rows.form.c_str(), int(rows.settled), int(rows.tried),
           100.0 * double(rows.settled) / double(images));
    before = ",";
  }
  text += '\n';
}

void append_row(std::string& text, const NetworkResult& result, const NetworkImplementation& implementation) {
  append(text, "%-18s", implementation.title.c_str());
  if (!implementation.failure.empty()) {
    text += "  WRONG: " + implementation.failure + "\n";
    return;
  }
  const Quartiles seconds = quartiles(implementation.seconds);
  append(text, " %7s %5d %9.0f %5.1f", implementation.variant.c_str(), int(implementation.batch),
         double(result.images) / seconds.median, 100.0 * (seconds.high - seconds.low) / seconds.median);
  append_ratio(text, dense_of(result), implementation);
  append_ratio(text, best_rival(result, true), implementation);
  append_ratio(text, best_rival(result, false), implementation);
  append(text, "  %6d\n", int(implementation.differ));
}

}  // namespace

const NetworkImplementation* best_rival(const NetworkResult& result, bool only_f32) {
  const NetworkImplementation* best = nullptr;
  for (const NetworkImplementation& implementation : result.implementations) {
    if (!implementation.rival || !implementation.failure.empty() || (only_f32 && !implementation.f32)) continue;
    if (best == nullptr || quartiles(implementation.seconds).median < quartiles(best->seconds).median) {
      best = &implementation;
    }
  }
  return best;
}

std::string benchmark_name(const NetworkEntry& entry, int64_t n, int64_t images, int threads) {
  return "predict/" + entry.name + "/" + entry.format + "/" + entry.isa + "/n:" + std::to_string(n) +
         "/m:" + std::to_string(images) + "/threads:" + std::to_string(threads);
}

std::string to_report(const std::vector<NetworkResult>& results) {
  if (results.empty()) return "";
  std::string text = kLegend;
  for (const NetworkResult& result : results) {
    append(text, "\npredict, %d layers of n %d, m %d, %s\n", int(result.layers), int(result.n), int(result.images),
           threads_text(result.threads).c_str());
    append(text, "%-18s %7s %5s %9s %5s  %17s  %17s  %17s  %6s\n", "", "variant", "batch", "rows/s", "iqr%", "/ idelta",
           "/ f32", "/ best", "differ");
    for (const NetworkImplementation& implementation : result.implementations) append_row(text, result, implementation);
    for (const NetworkImplementation& implementation : result.implementations) {
      append_settled(text, implementation, result.images);
    }
  }
  return text;
}

}  // namespace idelta::bench
