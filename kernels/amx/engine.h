// AMX's tile registers. multiply.h takes any engine with these members, so that its kernels can be tested on machines
// without AMX (tests/support/tile_engine.h).
//
// Inline assembly rather than intrinsics: GCC 12's have no memory clobber, so that stores to a packed buffer may move
// past the tile load that reads it; and they take register numbers as literal tokens only.
#ifndef IDELTA_KERNELS_AMX_ENGINE_H
#define IDELTA_KERNELS_AMX_ENGINE_H

#include <stddef.h>
#include <stdint.h>

namespace {

class HardwareTiles {
 public:
  // Owns the tile registers of this thread: register t has rows[t] rows of 64 bytes. The destructor restores the
  // caller's configuration, but not its tiles: the System V ABI lets any call overwrite them.
  explicit HardwareTiles(const uint8_t (&rows)[8]) {
    __asm__ volatile("sttilecfg %0" : "=m"(before_));
    Configuration mine{.palette = 1};
    for (int t = 0; t < 8; ++t) {
      mine.row_bytes[t] = 64;
      mine.rows[t] = rows[t];
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(mine));
  }
  ~HardwareTiles() {
    if (before_.palette != 0) {
      __asm__ volatile("ldtilecfg %0" : : "m"(before_));
    } else {
      __asm__ volatile("tilerelease" : : : "memory");
    }
  }
  HardwareTiles(const HardwareTiles&) = delete;
  HardwareTiles& operator=(const HardwareTiles&) = delete;

  template <int T>
  void zero() const {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  template <int T>
  void load(const void* first, ptrdiff_t stride_bytes) const {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(first), "r"(stride_bytes), "i"(T) : "memory");
  }
  template <int T>
  void store(void* first, ptrdiff_t stride_bytes) const {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(first), "r"(stride_bytes), "i"(T) : "memory");
  }
  // C += A B: rows of pairs of bf16 with columns of pairs.
  template <int C, int A, int B>
  void dot() const {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }
  // C += A B: rows of four unsigned bytes with columns of four signed ones, modulo 2^32.
  template <int C, int A, int B>
  void dot_quads() const {
    __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }

 private:
  struct alignas(64) Configuration {
    uint8_t palette = 0, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  };
  Configuration before_;
};

}  // namespace

#endif  // IDELTA_KERNELS_AMX_ENGINE_H
