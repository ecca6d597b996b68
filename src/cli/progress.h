// Progress of long work on stderr: a bar on a terminal, plain lines elsewhere (also with TERM=dumb or NO_COLOR),
// nothing when quiet.
#ifndef IDELTA_CLI_PROGRESS_H
#define IDELTA_CLI_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <string>

#include "idelta/nn.hpp"

namespace idelta::cli {

// Of a training run:
//   epoch 2/3  ━━━━━━━━━━━━━━━━━━╸────────  62 %  loss 0.431  accuracy 84.1 %  12 345 images/s  11 s left
// Every finished epoch leaves one line behind. `what` is put before each: which network of several it is.
class TrainingProgress {
 public:
  explicit TrainingProgress(bool quiet, std::string what = "");
  ~TrainingProgress();  // ends an unfinished bar's line
  TrainingProgress(const TrainingProgress&) = delete;
  TrainingProgress& operator=(const TrainingProgress&) = delete;

  void show(const nn::Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  void draw_bar(const nn::Progress& progress);
  void finish_epoch(const nn::Progress& progress);

  std::string epoch_name(const nn::Progress& progress) const;

  enum class Mode { kQuiet, kLines, kBar } mode_;
  std::string what_;
  Clock::time_point last_drawn_{};
  int64_t last_tenth_ = 0;  // of the epoch, for lines
  double epoch_began_ = 0;  // in the run's seconds
  bool bar_is_open_ = false;
};

// Of a known number of equal steps ("measuring  7/18"), redrawn in place on a terminal and silent elsewhere.
class StepProgress {
 public:
  StepProgress(std::string what, bool quiet);
  ~StepProgress();  // wipes its line
  StepProgress(const StepProgress&) = delete;
  StepProgress& operator=(const StepProgress&) = delete;

  void show(size_t done, size_t total);

 private:
  std::string what_;
  bool visible_;
};

}  // namespace idelta::cli

#endif  // IDELTA_CLI_PROGRESS_H
