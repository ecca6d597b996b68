// A small comparison of idelta with OpenBLAS: the engine of `idelta bench`, and the least a person needs to see what
// this machine gives. OpenBLAS does all that its user must: SGEMM with W = aI + D, then bias and activation in one
// vectorised loop (epilogue counted); both sides take turns within milliseconds and every result is checked.
//
//     int main(int argc, char** argv) {
//       idelta::bench::ensure_fair_peers(argv);   // first of all: it may start the program anew
//       idelta::bench::CompareOptions options;
//       options.points = {{794, 128, 1}, {794, 512, 2}};
//       std::fputs(idelta::bench::to_table(idelta::bench::compare(options)).c_str(), stdout);
//     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "idelta/idelta.h"

namespace idelta::bench {

struct ComparePoint {
  int64_t n, m;
  int threads;
};

struct CompareRow {
  std::string pass;  // forward, backward_data, backward_weights, update, train_step
  int64_t n, m;
  int threads;
  double idelta_gflops, openblas_gflops;  // medians; nominal 2 m n^2 a pass, 6 m n^2 a train_step
  double ratio;                           // median over the rounds of idelta / openblas, each round's own
  double ratio_low, ratio_high;           // quartiles of the same
  double peak_percent;                    // of an FMA loop timed in the same rounds
};

struct CompareOptions {
  std::vector<ComparePoint> points;
  std::vector<std::string> passes = {"forward", "backward_data", "backward_weights", "update"};
  // For all points, preparing and checking them included; but a point takes at least 5 rounds whatever it says.
  double budget_seconds = 30.0;
  idelta_isa isa = IDELTA_ISA_AUTO;
  // Called after each row, if set: rows done, rows in all.
  std::function<void(size_t done, size_t total)> progress;
};

// A row a (point, pass), in that order. Throws std::invalid_argument for an unknown pass or an impossible size, and
// std::runtime_error when a library refuses a call or a result is wrong. Leaves OpenBLAS' and OpenMP's number of
// threads as it found them.
std::vector<CompareRow> compare(const CompareOptions& options);

// Aligned columns with a heading, ending in the geometric mean, the least ratio and where it is, and
// impossible_peaks().
std::string to_table(const std::vector<CompareRow>& rows);

// Empty, or a line that says why some of these speeds exceed the peak, and what to do.
std::string impossible_peaks(const std::vector<CompareRow>& rows);

// Makes sure that OpenBLAS uses kernels this CPU deserves and that idle OpenMP threads go to sleep within about a
// millisecond (GOMP_SPINCOUNT, KMP_BLOCKTIME, OPENBLAS_THREAD_TIMEOUT), so that they do not run on into the next
// one's turn. OpenBLAS chooses its kernels when it is loaded, by model number, and 0.3.21 takes newer Xeons for a
// Prescott: a fifth of their speed. What is to be changed is set in the environment and the program started again,
// once. What the caller set himself (OPENBLAS_CORETYPE, OMP_WAIT_POLICY, ...) is respected, and said on stderr if
// unfair. Call it before anything is printed or opened.
void ensure_fair_peers(char** argv);

// Empty, or a line that begins with UNFAIR and says why ratios to OpenBLAS are worthless in this process and what to
// do.
std::string unfairness();

// What OpenBLAS says it is: "0.3.21 SkylakeX".
std::string openblas_description();

}  // namespace idelta::bench
