#include "src/core/machine/dispatch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "src/core/base/error.h"
#include "src/core/base/named.h"

namespace idelta::core {
namespace {

// Any kernel, without its type.
struct Slot {
  std::array<ptrdiff_t, 5> shape;
  void (*run)();
};
constexpr size_t kSlots = sizeof(KernelTable) / sizeof(Slot);
using Slots = std::array<Slot, kSlots>;

// Proves that a table is kSlots kernels and nothing else, so that overlaid() cannot miss one.
struct AnyKernel {
  template <class Args, class Result>
  // NOLINTNEXTLINE(google-explicit-constructor): it converts to any kernel
  operator Kernel<Args, Result>() const {
    static_assert(sizeof(Kernel<Args, Result>) == sizeof(Slot) && alignof(Kernel<Args, Result>) == alignof(Slot));
    return {};
  }
};
template <size_t... I>
constexpr bool is_so_many_kernels(std::index_sequence<I...> /*slots*/) {
  return requires { KernelTable{(static_cast<void>(I), AnyKernel{})...}; };
}
static_assert(is_so_many_kernels(std::make_index_sequence<kSlots>()));
static_assert(sizeof(KernelTable) == kSlots * sizeof(Slot));

std::string missing(idelta_isa isa, const CpuFeatures& cpu) {
  if (isa == IDELTA_ISA_AMX && supported(cpu.set, IDELTA_ISA_AVX512)) return "AMX is " + cpu.amx_state;
  return isa >= IDELTA_ISA_AVX512 ? "AVX-512 is " + cpu.avx512_state : "AVX2 with FMA is not available on this CPU";
}

}  // namespace

KernelTable overlaid(FeatureSet features, idelta_isa up_to) {
  Slots all{};
  for (const KernelRow& row : kKernelRows) {
    if (row.isa > up_to || !has(features, row.needs)) continue;
    const auto higher = std::bit_cast<Slots>(*row.table);
    for (size_t i = 0; i < kSlots; ++i) {
      if (higher[i].run) all[i] = higher[i];
    }
  }
  return std::bit_cast<KernelTable>(all);
}

const char* isa_name(idelta_isa isa) {
  constexpr const char* kNames[] = {"auto", "scalar", "avx2", "avx512", "amx"};  // also what is not built here
  return name_in(kNames, isa);
}

bool supported(FeatureSet features, idelta_isa isa) {
  const auto* own =
      std::find_if(std::begin(kKernelRows), std::end(kKernelRows), [&](const KernelRow& r) { return r.isa == isa; });
  return own != std::end(kKernelRows) && has(features, own->needs);
}

IsaChoice choose_isa(idelta_isa wish, const char* environment, const CpuFeatures& cpu) {
  if (wish != IDELTA_ISA_AUTO) {
    const char* const name = isa_name(wish);
    if (!name) {
      throw Failure(IDELTA_INVALID_ARGUMENT, "isa = " + std::to_string(wish) + " is none of idelta_isa's values");
    }
    if (!supported(cpu.set, wish)) {
      throw Failure(IDELTA_UNSUPPORTED,
                    std::string("isa = ") + name + ": " + missing(wish, cpu) + "; use IDELTA_ISA_AUTO or a lower one");
    }
    return {wish, "asked for by the program"};
  }
  idelta_isa best = IDELTA_ISA_SCALAR;
  for (const KernelRow& row : kKernelRows) {
    if (supported(cpu.set, row.isa)) best = row.isa;
  }
  const idelta_isa named = environment ? kind_named("environment variable IDELTA_ISA", isa_name, environment) : wish;
  if (named == IDELTA_ISA_AUTO) return {best, "the best that CPU and operating system support"};
  if (!supported(cpu.set, named)) {
    throw Failure(IDELTA_UNSUPPORTED, "environment variable IDELTA_ISA = " + std::string(environment) + ": " +
                                          missing(named, cpu) + "; unset it");
  }
  return {named, "asked for by IDELTA_ISA"};
}

}  // namespace idelta::core
