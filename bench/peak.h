// What this machine can compute, measured beside what is compared with it.
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

}  // namespace idelta::bench
