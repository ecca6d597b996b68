// Format LOW_RANK of the library, of the factors that its peer multiplies by too.
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "bench/implementations/low_rank.h"

namespace idelta::bench {

namespace {

constexpr idelta_activation kHardTanh = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};

// Packing proves a certificate and takes 0.1 s at n = 1024, so that a pack serves all points of its width.
PackedFactors packed_for(const Problem& problem, int64_t rank) {
  static std::map<std::tuple<idelta_isa, int, int64_t, int64_t>, PackedFactors> all;
  PackedFactors& slot = all[{problem.isa, problem.threads, problem.n, rank}];
  if (slot == nullptr) slot = pack(context_for(problem.isa, problem.threads), factors_for(problem.n, rank));
  return slot;
}

}  // namespace

PackedFactors pack(const Context& context, const Factors& factors) {
  DeltaOptions options = kDeltaOptions;
  options.format = IDELTA_FORMAT_LOW_RANK;
  idelta_delta* raw = nullptr;
  check(idelta_delta_pack_factors(context.get(), factors.n, factors.rank, factors.U.data(), factors.rank,
                                  factors.V.data(), factors.n, &options, &raw));
  PackedFactors packed(raw, idelta_delta_destroy);
  DeltaInfo info = IDELTA_DELTA_INFO_INIT;
  check(idelta_delta_info(context.get(), raw, &info));
  if (info.rank == factors.rank) return packed;
  throw std::runtime_error(low_rank_name(factors.rank) + " was packed with rank " + std::to_string(info.rank));
}

IdeltaLowRank::IdeltaLowRank(const Problem& problem, const Inputs& inputs, PackedFactors packed)
    : LowRank(problem, inputs), context_(context_for(problem.isa, problem.threads)), packed_(std::move(packed)) {}

void IdeltaLowRank::forward() {
  const ForwardArgs args = {.struct_size = sizeof args,
                            .m = problem_.m,
                            .x = memory_.x.data(),
                            .ldx = problem_.n,
                            .bias = memory_.bias.data(),
                            .activation = kHardTanh,
                            .y = memory_.y.data(),
                            .ldy = problem_.n};
  check(idelta_forward(context_.get(), packed_.get(), &args));
}

void IdeltaLowRank::backward_data() {
  const BackwardDataArgs args = {.struct_size = sizeof args,
                                 .m = problem_.m,
                                 .dy = memory_.dy.data(),
                                 .lddy = problem_.n,
                                 .y = memory_.y.data(),
                                 .ldy = problem_.n,
                                 .activation = kHardTanh,
                                 .dz = memory_.dz.data(),
                                 .lddz = problem_.n,
                                 .dx = memory_.dx.data(),
                                 .lddx = problem_.n};
  check(idelta_backward_data(context_.get(), packed_.get(), &args));
}

ImplementationEntry idelta_low_rank_entry(int64_t rank) {
  ImplementationEntry entry = idelta_entry();
  entry.format = low_rank_name(rank);
  entry.make = [rank](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<IdeltaLowRank>(problem, inputs, packed_for(problem, rank));
  };
  return entry;
}

}  // namespace idelta::bench
