// CPU features, where CPUID reports them, and the kernel tables that need them. To add one: its bit, a line of kCpuid,
// the declaration of its table and a line of kKernelRows.
#ifndef IDELTA_CORE_MACHINE_KERNEL_ROWS_H
#define IDELTA_CORE_MACHINE_KERNEL_ROWS_H

#include <cstdint>

#include "idelta/idelta.h"
#include "kernels/kernels.h"

#ifndef IDELTA_HAVE_SCALAR
#error "link idelta_kernels, which says what tables are built"
#endif

namespace idelta {

namespace avx2 {
extern const KernelTable kTable;
}
namespace avx_vnni {
extern const KernelTable kTable;
}
namespace avx512 {
extern const KernelTable kTable;
}
namespace avx512_bf16 {
extern const KernelTable kTable;
}
namespace avx512_vnni {
extern const KernelTable kTable;
}
namespace amx {
extern const KernelTable kTable;
}
namespace amx_int8 {
extern const KernelTable kTable;
}

namespace core {

// A set of features, one bit each.
using FeatureSet = uint32_t;
inline constexpr FeatureSet kAvx2 = 1u << 0;
inline constexpr FeatureSet kFma = 1u << 1;
inline constexpr FeatureSet kAvx512 = 1u << 2;  // F, BW, DQ, VL
inline constexpr FeatureSet kAvx512Bf16 = 1u << 3;
inline constexpr FeatureSet kAvx512Vnni = 1u << 4;
inline constexpr FeatureSet kTilesOffered = 1u << 5;  // the CPU has AMX's tiles, whether or not they can be used
inline constexpr FeatureSet kAmxBf16 = 1u << 6;       // in tiles that this process may use
inline constexpr FeatureSet kAvxVnni = 1u << 7;       // vpdpbusd of 256 bits, encoded as AVX
inline constexpr FeatureSet kAmxInt8 = 1u << 8;       // as kAmxBf16

constexpr bool has(FeatureSet features, FeatureSet needed) { return (features & needed) == needed; }

// A feature is there if CPUID sets all of `bits` in a register and the operating system saves `states` (XCR0). AMX
// needs more: amx_state() in cpu_features.h.
enum class Register { kEax, kEbx, kEcx, kEdx };
struct CpuidBits {
  FeatureSet feature;
  unsigned leaf, subleaf;
  Register in;
  uint32_t bits;
  uint64_t states;
};
inline constexpr uint64_t kYmmStates = 0x6, kZmmStates = 0xe6, kTileStates = 0x60000;
inline constexpr CpuidBits kCpuid[] = {
    {kAvx2, 7, 0, Register::kEbx, 1u << 5, kYmmStates},
    {kFma, 1, 0, Register::kEcx, 1u << 12 | 1u << 28, kYmmStates},  // and AVX
    {kAvx512, 7, 0, Register::kEbx, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, kZmmStates},
    {kAvx512Bf16, 7, 1, Register::kEax, 1u << 5, kZmmStates},
    {kAvx512Vnni, 7, 0, Register::kEcx, 1u << 11, kZmmStates},
    {kAvxVnni, 7, 1, Register::kEax, 1u << 4, kYmmStates},
    {kTilesOffered, 7, 0, Register::kEdx, 1u << 24, 0},
};

// A table, the features that it needs, and its ISA. An ISA is supported if the needs of its first row are met.
struct KernelRow {
  const char* name;
  idelta_isa isa;
  FeatureSet needs;
  const KernelTable* table;
};
inline constexpr FeatureSet kAvx2Isa = kAvx2 | kFma, kAvx512Isa = kAvx2Isa | kAvx512;

// Ascending: kernels of later rows replace those of earlier ones.
inline constexpr KernelRow kKernelRows[] = {
    {"scalar", IDELTA_ISA_SCALAR, 0, &scalar::kTable},
#if IDELTA_HAVE_AVX2  // x86-64, as are all that follow
    {"avx2", IDELTA_ISA_AVX2, kAvx2Isa, &avx2::kTable},
    {"avx_vnni", IDELTA_ISA_AVX2, kAvx2Isa | kAvxVnni, &avx_vnni::kTable},
    {"avx512", IDELTA_ISA_AVX512, kAvx512Isa, &avx512::kTable},
    {"avx512_bf16", IDELTA_ISA_AVX512, kAvx512Isa | kAvx512Bf16, &avx512_bf16::kTable},
    {"avx512_vnni", IDELTA_ISA_AVX512, kAvx512Isa | kAvx512Vnni, &avx512_vnni::kTable},
    {"amx", IDELTA_ISA_AMX, kAvx512Isa | kAmxBf16, &amx::kTable},
    {"amx_int8", IDELTA_ISA_AMX, kAvx512Isa | kAmxInt8, &amx_int8::kTable},
#endif
};

}  // namespace core
}  // namespace idelta

#endif  // IDELTA_CORE_MACHINE_KERNEL_ROWS_H
