// What memory gives this machine, measured beside what is compared with it.
#pragma once

#include <cstdint>
#include <string>

#include "bench/problem.h"

namespace idelta::bench {

// Enough memory to push everything out of the last cache: twice its size, at most 512 MiB. Virtual machines report the
// whole host's last cache, several hundred MiB for two cores; what two cores can really fill is less (Zen: the 32 MiB
// of their own complex). Where the host's cache is one and as large as it says, what is called cold may come from it;
// but then the bandwidth beside it, which walks through as many bytes, comes from there too.
int64_t cold_bytes();

// A loop over a buffer of `bytes`, shared by `threads`, each keeping to its own part: the same again and again (warm),
// or the next of as many as fill cold_bytes() (cold).
class TrafficLoop {
 public:
  TrafficLoop(Traffic kind, int64_t bytes, int threads, bool cold);
  void run();
  double bytes() const;                       // of one run; those of kReadWrite count twice
  int64_t chunks() const { return chunks_; }  // runs until the buffer begins again

 private:
  Traffic kind_;
  int threads_;
  int64_t part_;     // floats a thread, of a run's
  int64_t repeats_;  // of the same part within a run
  int64_t chunks_;
  int64_t next_ = 0;
  Buffer buffer_;
};

// What bounds a problem of few rows: the loop that moves its D (and v) as the pass does, or the factors of D where its
// rank is not 0.
TrafficLoop traffic_loop_for(const Problem& problem, int64_t rank, bool cold);

// "read bandwidth, 1 thread: 24 KiB 400 GB/s, ...": half of L1d, half of L2, 8 times L2, and cold_bytes().
std::string describe_bandwidth(int threads);

}  // namespace idelta::bench
