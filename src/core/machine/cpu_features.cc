#include "src/core/machine/cpu_features.h"

#include <string_view>

#include "src/core/machine/environment.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace idelta::core {
namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned values[4] = {};
  unsigned operator[](Register which) const { return values[static_cast<int>(which)]; }
};

// Zeros for a leaf, or a subleaf of 7, that the CPU does not have.
Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  if (leaf == 7 && subleaf > 0 && cpuid(7)[Register::kEax] < subleaf) return r;
  __get_cpuid_count(leaf, subleaf, &r.values[0], &r.values[1], &r.values[2], &r.values[3]);
  return r;
}

bool all_set(uint64_t value, uint64_t bits) { return (value & bits) == bits; }

// Extended control register 0: the register states that the operating system saves. OSXSAVE says whether it is there.
uint64_t enabled_states() {
  if (!(cpuid(1)[Register::kEcx] & bit_OSXSAVE)) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

// The features that CPUID offers if the operating system saves `states`.
FeatureSet features_with(uint64_t states) {
  FeatureSet set = 0;
  for (const CpuidBits& f : kCpuid) {
    if (all_set(cpuid(f.leaf, f.subleaf)[f.in], f.bits) && all_set(states, f.states)) set |= f.feature;
  }
  return set;
}

// A process must ask Linux once for permission to use tiles.
bool amx_permitted() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

AmxOffer amx_offer(uint64_t states) {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  const unsigned offered = cpuid(7)[Register::kEdx];
  return {.tiles = (offered & kTile) != 0,
          .bf16 = (offered & kBf16) != 0,
          .int8 = (offered & kInt8) != 0,
          .saved = all_set(states, kTileStates),
          .palettes = cpuid(0x1d)[Register::kEax]};
}

std::string brand() {
  Registers words[3];
  for (unsigned i = 0; i < 3; ++i) words[i] = cpuid(0x80000002u + i);
  std::string text(reinterpret_cast<const char*>(words), sizeof words);
  text = text.substr(0, text.find('\0'));
  const size_t start = text.find_first_not_of(' ');
  return start == std::string::npos ? "unnamed x86-64" : text.substr(start);
}

std::string avx512_state(FeatureSet usable) {
  if (!has(features_with(~uint64_t{0}), kAvx512)) return "not offered by this CPU (needs F, BW, DQ, VL)";
  if (!has(usable, kAvx512)) return "offered by the CPU, but the operating system does not save its registers";
  std::string text = "available: F BW DQ VL";
  if (has(usable, kAvx512Bf16)) text += " BF16";
  if (has(usable, kAvx512Vnni)) text += " VNNI";
  return text;
}

CpuFeatures detect(bool (*permitted)()) {
  const uint64_t states = enabled_states();
  CpuFeatures cpu{.brand = brand(), .set = features_with(states), .avx512_state = {}, .amx_state = {}};
  cpu.avx512_state = avx512_state(cpu.set);
  const AmxOffer offer = amx_offer(states);
  const AmxState amx = amx_state(offer, permitted);
  if (amx.usable) cpu.set |= kAmxBf16 | (offer.int8 ? kAmxInt8 : 0);
  cpu.amx_state = amx.text;
  return cpu;
}

#else

bool amx_permitted() { return false; }

CpuFeatures detect(bool (*)()) {
  constexpr const char* kElsewhere = "not on this architecture";
  return {.brand = "not x86-64", .set = 0, .avx512_state = kElsewhere, .amx_state = kElsewhere};
}

#endif

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
  if (const char* text = environment(kAmxVariable)) {
    if (std::string_view(text) != "refused") refuse(kAmxVariable, text);
    static const CpuFeatures without = detect([] { return false; });
    return without;
  }
  static const CpuFeatures features = detect(amx_permitted);
  return features;
}

}  // namespace idelta::core
