// What a report is about, and what it was asked for.
#ifndef IDELTA_CLI_REPORT_SUBJECT_H
#define IDELTA_CLI_REPORT_SUBJECT_H

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "cli/progress.h"
#include "cli/report/html.h"
#include "idelta/nn.hpp"

namespace idelta::cli::report {

// An image of the test set, and why it is shown: "class Sandal", "misclassified", ...
struct Chosen {
  int64_t index = 0;
  std::string why;
};

struct Subject {
  const nn::Network& network;
  const nn::Dataset& test;
  const nn::Dataset* train;  // null if the data set has no training split here
  std::vector<std::string> class_names;
  std::vector<std::string> feature_names;  // empty: the inputs are pictures
  std::vector<Chosen> chosen = {};         // by gather(), once it knows the read-outs
  bool quick = false;                      // leaves out what takes long
  std::vector<std::string> siblings;       // model files of a study: other seeds of the same settings
  const nn::Study* study = nullptr;

  bool pictures() const { return feature_names.empty(); }
  std::string class_name(int64_t c) const { return class_names[static_cast<size_t>(c)]; }
};

// Seconds of each part of the work, in the order in which they ran; on a terminal a bar says which one runs.
class Stopwatch {
 public:
  // work(done), of which done(k, of) moves the bar. `detail` says on the bar what of the part it is.
  template <class Work>
  auto measure(std::string name, const Work& work, const std::string& detail = "") {
    StepProgress bar("explaining: " + name + (detail.empty() ? "" : ", " + detail), false);
    bar.show(0, 1);
    const Lap lap{*this, std::move(name)};
    return work(nn::PartDone(
        [&bar](int64_t done, int64_t parts) { bar.show(static_cast<size_t>(done), static_cast<size_t>(parts)); }));
  }
  // [{"part": ..., "seconds": ..., "share": ...}, ...]: shares of their sum.
  Json laps() const;
  double seconds() const;  // their sum

 private:
  using Clock = std::chrono::steady_clock;
  struct Lap {
    Stopwatch& watch;
    std::string name;
    Clock::time_point began = Clock::now();
    ~Lap() { watch.laps_.emplace_back(name, std::chrono::duration<double>(Clock::now() - began).count()); }
  };
  std::vector<std::pair<std::string, double>> laps_;
};

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_SUBJECT_H
