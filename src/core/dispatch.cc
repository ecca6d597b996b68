#include "src/core/dispatch.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "src/core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace idelta::core {
namespace {

struct Isa {
  idelta_isa id;
  const char* name;
  const KernelTable* table;  // null: not built for this architecture
  bool (*runs)(const CpuFeatures&);
};

// Ascending. To add an ISA: a folder in kernels/, a line in kernels/CMakeLists.txt, a feature bit below, a line here.
constexpr Isa kIsas[] = {
    {IDELTA_ISA_SCALAR, "scalar", &scalar::kTable, [](const CpuFeatures&) { return true; }},
#if IDELTA_HAVE_AVX2
    {IDELTA_ISA_AVX2, "avx2", &avx2::kTable, [](const CpuFeatures& cpu) { return cpu.avx2; }},
#else
    {IDELTA_ISA_AVX2, "avx2", nullptr, [](const CpuFeatures&) { return false; }},
#endif
#if IDELTA_HAVE_AVX512
    {IDELTA_ISA_AVX512, "avx512", &avx512::kTable, [](const CpuFeatures& cpu) { return cpu.avx512; }},
#else
    {IDELTA_ISA_AVX512, "avx512", nullptr, [](const CpuFeatures&) { return false; }},
#endif
#if IDELTA_HAVE_AMX
    {IDELTA_ISA_AMX, "amx", &amx::kTable, [](const CpuFeatures& cpu) { return cpu.avx512 && cpu.amx; }},
#else
    {IDELTA_ISA_AMX, "amx", nullptr, [](const CpuFeatures&) { return false; }},
#endif
};

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);  // zeros for a leaf the CPU does not have
  return r;
}

bool all_set(uint64_t value, uint64_t bits) { return (value & bits) == bits; }

// Extended control register 0: which register states the operating system saves. Only where OSXSAVE says it may be
// read.
uint64_t enabled_states(const Registers& leaf1) {
  if (!(leaf1.ecx & bit_OSXSAVE)) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

// Tiles fault unless Linux has been asked for room to save them in, once a process. IDELTA_AMX=refused stands for a
// kernel that says no.
bool amx_permitted() {
  const char* hook = std::getenv("IDELTA_AMX");
  if (hook && std::string_view(hook) == "refused") return false;
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

AmxOffer amx_offer(const Registers& leaf7, uint64_t states) {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  constexpr uint64_t kTileStates = 3u << 17;
  return {.tiles = (leaf7.edx & kTile) != 0,
          .bf16 = (leaf7.edx & kBf16) != 0,
          .int8 = (leaf7.edx & kInt8) != 0,
          .saved = all_set(states, kTileStates),
          .palettes = cpuid(0x1d).eax};
}

CpuFeatures detect() {
  CpuFeatures cpu;
  Registers brand[3];
  for (unsigned i = 0; i < 3; ++i) brand[i] = cpuid(0x80000002u + i);
  cpu.brand.assign(reinterpret_cast<const char*>(brand), sizeof brand);
  cpu.brand = cpu.brand.substr(0, cpu.brand.find('\0'));
  const size_t start = cpu.brand.find_first_not_of(' ');
  cpu.brand = start == std::string::npos ? "unnamed x86-64" : cpu.brand.substr(start);

  constexpr uint64_t kYmmStates = 0x6, kZmmStates = 0xe6;
  constexpr unsigned kAvx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  const Registers leaf1 = cpuid(1), leaf7 = cpuid(7);
  const uint64_t states = enabled_states(leaf1);
  cpu.avx2 = all_set(leaf1.ecx, bit_AVX | bit_FMA) && (leaf7.ebx & bit_AVX2) && all_set(states, kYmmStates);
  const bool offered = all_set(leaf7.ebx, kAvx512), saved = all_set(states, kZmmStates);
  cpu.avx512 = cpu.avx2 && offered && saved;
  cpu.avx512_state = !offered ? "not offered by this CPU (needs F, BW, DQ, VL)"
                     : !saved ? "offered by the CPU, but the operating system does not save its registers"
                              : "available: F BW DQ VL";
  const bool bf16 = leaf7.eax >= 1 && (cpuid(7, 1).eax & 1u << 5);
  cpu.avx512_bf16 = cpu.avx512 && bf16;
  if (cpu.avx512_bf16) cpu.avx512_state += " BF16";
  const AmxState amx = amx_state(amx_offer(leaf7, states), amx_permitted);
  cpu.amx = amx.usable;
  cpu.amx_state = amx.text;
  return cpu;
}

#else

CpuFeatures detect() {
  CpuFeatures cpu;
  cpu.brand = "not x86-64";
  cpu.avx512_state = cpu.amx_state = "not on this architecture";
  return cpu;
}

#endif

const Isa* find(idelta_isa id) {
  const auto* isa = std::find_if(std::begin(kIsas), std::end(kIsas), [&](const Isa& i) { return i.id == id; });
  return isa == std::end(kIsas) ? nullptr : isa;
}

template <class Slot>
void overlay(Slot& slot, const Slot& higher) {
  if (higher) slot = higher;
}

KernelTable overlaid(idelta_isa up_to) {
  KernelTable all = scalar::kTable;
  for (const Isa& isa : kIsas) {
    if (isa.id > up_to || !isa.table || !supported(isa.id)) continue;
    const KernelTable& t = *isa.table;
    overlay(all.mr, t.mr);
    overlay(all.nr, t.nr);
    overlay(all.wide_panels, t.wide_panels);
    overlay(all.wide_rows, t.wide_rows);
    overlay(all.step_mr, t.step_mr);
    overlay(all.few_rows, t.few_rows);
    overlay(all.bf16_mr, t.bf16_mr);
    overlay(all.f32_forward, t.f32_forward);
    overlay(all.f32_weights, t.f32_weights);
    overlay(all.f32_copy_rows, t.f32_copy_rows);
    overlay(all.f32_pack_panel, t.f32_pack_panel);
    overlay(all.f32_pack_panel_transposed, t.f32_pack_panel_transposed);
    overlay(all.f32_column_sums, t.f32_column_sums);
    overlay(all.f32_optimizer_step, t.f32_optimizer_step);
    overlay(all.bf16_round_panel, t.bf16_round_panel);
    overlay(all.bf16_round_rows, t.bf16_round_rows);
    overlay(all.bf16_round_rows_transposed, t.bf16_round_rows_transposed);
    overlay(all.bf16_forward, t.bf16_forward);
    overlay(all.bf16_dot, t.bf16_dot);
    overlay(all.bf16x3_dot, t.bf16x3_dot);
    overlay(all.f32_scale_add, t.f32_scale_add);
#if IDELTA_HAVE_AVX512_BF16
    if (isa.id == IDELTA_ISA_AVX512 && cpu_features().avx512_bf16) {
      overlay(all.bf16_mr, avx512_bf16::kTable.bf16_mr);
      overlay(all.bf16_dot, avx512_bf16::kTable.bf16_dot);
    }
#endif
  }
  return all;
}

std::string known_names() {
  std::string names;
  for (const Isa& isa : kIsas) names += std::string(names.empty() ? "" : ", ") + isa.name;
  return names;
}

std::string missing(idelta_isa isa, const CpuFeatures& cpu) {
  if (isa == IDELTA_ISA_AMX && cpu.avx512) return "AMX is " + cpu.amx_state;
  return isa >= IDELTA_ISA_AVX512 ? "AVX-512 is " + cpu.avx512_state : "AVX2 with FMA is not available on this CPU";
}

}  // namespace

AmxState amx_state(const AmxOffer& offer, bool (*permitted)()) {
  if (!offer.tiles) return {false, "not offered by this CPU"};
  if (!offer.bf16) return {false, "offered by this CPU without bf16"};
  if (!offer.saved) return {false, "offered by the CPU, but the operating system does not save tile registers"};
  if (offer.palettes == 0) return {false, "advertised, but with no tile palette (a hypervisor's fault)"};
  if (!permitted()) return {false, "offered, but Linux refuses permission"};
  return {true, std::string("available: bf16") + (offer.int8 ? " int8" : "")};
}

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

const char* isa_name(idelta_isa isa) {
  if (isa == IDELTA_ISA_AUTO) return "auto";
  const Isa* found = find(isa);
  return found ? found->name : nullptr;
}

bool supported(idelta_isa isa) {
  const Isa* found = find(isa);
  return found && found->table && found->runs(cpu_features());
}

const KernelTable& kernels_for(idelta_isa isa) {
  static const auto tables = [] {
    std::array<KernelTable, std::size(kIsas)> all{};
    for (size_t i = 0; i < all.size(); ++i) all[i] = overlaid(kIsas[i].id);
    return all;
  }();
  return tables[static_cast<size_t>(find(isa) - kIsas)];
}

IsaChoice choose_isa(idelta_isa wish, const char* environment) {
  const CpuFeatures& cpu = cpu_features();
  if (wish != IDELTA_ISA_AUTO) {
    const Isa* isa = find(wish);
    if (!isa) {
      throw Failure(IDELTA_INVALID_ARGUMENT, "isa = " + std::to_string(wish) + " is none of idelta_isa's values");
    }
    if (!supported(wish)) {
      throw Failure(IDELTA_UNSUPPORTED, std::string("isa = ") + isa->name + ": " + missing(wish, cpu) +
                                            "; use IDELTA_ISA_AUTO or a lower one");
    }
    return {wish, "asked for by the program"};
  }
  const Isa* best = nullptr;
  for (const Isa& isa : kIsas) {
    if (supported(isa.id)) best = &isa;
  }
  if (!environment || !*environment || std::string_view(environment) == "auto") {
    return {best->id, "the best that CPU and operating system support"};
  }
  const auto* named = std::find_if(std::begin(kIsas), std::end(kIsas),
                                   [&](const Isa& isa) { return std::string_view(environment) == isa.name; });
  if (named == std::end(kIsas)) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "environment variable IDELTA_ISA = \"" + std::string(environment) + "\" is none of " + known_names());
  }
  if (!supported(named->id)) {
    throw Failure(IDELTA_UNSUPPORTED, "environment variable IDELTA_ISA = " + std::string(environment) + ": " +
                                          missing(named->id, cpu) + "; unset it");
  }
  return {named->id, "asked for by IDELTA_ISA"};
}

}  // namespace idelta::core
