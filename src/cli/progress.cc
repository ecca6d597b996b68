// Drawing is limited to ten times a second: a batch of a small network takes less than a millisecond.
#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <string_view>

#include "src/core/machine/environment.h"
#include "table.h"

namespace idelta::cli {
namespace {

// Whether what reads stderr understands escape sequences, and is to be sent some (no-color.org).
bool redraws() {
  const char* const terminal = environment("TERM");
  return isatty(STDERR_FILENO) && terminal && std::string_view(terminal) != "dumb" && !environment("NO_COLOR");
}

constexpr int64_t kDefaultWidth = 100, kLeastRail = 10, kMostRail = 40;
constexpr auto kRedrawEvery = std::chrono::milliseconds(100);
constexpr const char* kClearLine = "\r\033[K";

void put(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

// Half a column finer than whole ones; at least 4 columns wide to be worth drawing.
std::string rail(double fraction, int64_t width) {
  if (width < 4) return "";
  const int64_t halves = std::lround(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(2 * width));
  std::string text;
  for (int64_t column = 0; column < width; ++column) {
    text += halves >= 2 * column + 2 ? "━" : halves == 2 * column + 1 ? "╸" : "─";
  }
  return text;
}

std::string figures(const nn::Progress& p) { return format("loss %.4f  accuracy %4.1f %%", p.loss, 100 * p.accuracy); }

std::string rate(const nn::Progress& p) { return grouped(std::llround(p.images_per_second)) + " images/s"; }

double done(const nn::Progress& p) { return p.batches > 0 ? double(p.batch) / double(p.batches) : 1.0; }

}  // namespace

TrainingProgress::TrainingProgress(bool quiet, std::string what)
    : mode_(quiet       ? Mode::kQuiet
            : redraws() ? Mode::kBar
                        : Mode::kLines),
      what_(std::move(what)) {}

TrainingProgress::~TrainingProgress() {
  if (bar_is_open_) put("\n");
}

std::string TrainingProgress::epoch_name(const nn::Progress& p) const {
  return what_ + format("epoch %lld/%lld", (long long)(p.epoch + 1), (long long)p.epochs);
}

void TrainingProgress::show(const nn::Progress& p) {
  if (mode_ == Mode::kQuiet) return;
  if (p.seconds < epoch_began_) epoch_began_ = 0;  // Trainer::run() was called again
  if (p.batch >= p.batches) return finish_epoch(p);
  if (mode_ == Mode::kBar) {
    if (Clock::now() - last_drawn_ >= kRedrawEvery) draw_bar(p);
    return;
  }
  const auto tenth = static_cast<int64_t>(10 * done(p));
  if (tenth == last_tenth_) return;
  last_tenth_ = tenth;
  put(epoch_name(p) + format("  %3.0f %%  ", 100 * done(p)) + figures(p) + "  " + rate(p) + "  " +
      duration(p.seconds_left) + " left\n");
}

void TrainingProgress::draw_bar(const nn::Progress& p) {
  const std::string head = epoch_name(p) + "  ", percent = format("  %3.0f %%", 100 * done(p));
  const std::string left = "  " + duration(p.seconds_left) + " left";
  // On a narrow terminal the figures go first, not the rail.
  const std::string tails[] = {percent + "  " + figures(p) + "  " + rate(p) + left, percent + "  " + figures(p) + left,
                               percent + left, percent};
  // One column stays free: a full line would make some terminals wrap.
  const int64_t columns = terminal_width(STDERR_FILENO, kDefaultWidth) - 1 - display_width(head);
  const auto fits = [columns](const std::string& tail) { return columns - display_width(tail) >= kLeastRail; };
  const auto* const tail = std::find_if(std::begin(tails), std::end(tails) - 1, fits);  // the last has no shorter one
  put(kClearLine + head + rail(done(p), std::min(columns - display_width(*tail), kMostRail)) + *tail);
  bar_is_open_ = true;
  last_drawn_ = Clock::now();
}

void TrainingProgress::finish_epoch(const nn::Progress& p) {
  put(std::string(mode_ == Mode::kBar ? kClearLine : "") + epoch_name(p) + "  done   " + figures(p) + "  " + rate(p) +
      "  in " + duration(p.seconds - epoch_began_) + "\n");
  epoch_began_ = p.seconds;
  last_tenth_ = 0;
  bar_is_open_ = false;
}

StepProgress::StepProgress(std::string what, bool quiet) : what_(std::move(what)), visible_(!quiet && redraws()) {}

StepProgress::~StepProgress() {
  if (visible_) put(kClearLine);
}

void StepProgress::show(size_t finished, size_t total) {
  if (!visible_) return;
  const double fraction = total > 0 ? double(finished) / double(total) : 1.0;
  put(kClearLine + what_ + "  " + rail(fraction, kMostRail) + format("  %zu/%zu", finished, total));
}

}  // namespace idelta::cli
