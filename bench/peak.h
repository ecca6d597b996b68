// What this machine can do, measured beside what is compared with it: FMA rate and read bandwidth.
#pragma once

#include <cstdint>

#include "idelta/idelta.h"

namespace idelta::bench {

// A loop of multiply-adds that never leaves the registers, of the widest kind the ISA has, on each of `threads`.
class FmaLoop {
 public:
  FmaLoop(idelta_isa isa, int threads)  // isa: not AUTO
      : isa_(isa), threads_(threads) {}
  void run() const;      // about a tenth of a millisecond
  double flops() const;  // of one run, over all threads

 private:
  idelta_isa isa_;
  int threads_;
};

// Bytes a second that `threads` read from a buffer of `bytes`: the same buffer again and again (warm), or walking
// through cold_bytes() of memory (cold). Median of several; kept for later calls with the same arguments.
double read_bandwidth(int64_t bytes, int threads, bool cold);

// Enough memory to push everything out of the last cache: twice its size, at most 512 MiB, because virtual machines
// report caches of several hundred MiB for two cores.
int64_t cold_bytes();

}  // namespace idelta::bench
