// Every combination of CPU features, such as a CPU may have and such as none has: which tables it overlays, and that
// what their kernels compute together is what the scalar table computes. AMX runs on emulated tiles.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/amx/multiply.h"
#include "kernels/scalar/vector.h"
#include "src/core/context.h"
#include "src/core/machine/bf16_product.h"
#include "src/core/machine/dispatch.h"
#include "src/core/machine/integer_unit.h"
#include "support/low_rank.h"
#include "support/runs.h"
#include "support/tile_engine.h"

namespace idelta_test {
namespace {

using idelta::Kernel;
using idelta::KernelTable;
using idelta::core::FeatureSet;
using idelta::core::has;

constexpr ForcedFormat kFormats[] = {{"f32", IDELTA_FORMAT_F32, IDELTA_BF16_PRODUCT_AUTO, false},
                                     {"bf16", IDELTA_FORMAT_BF16, IDELTA_BF16_PRODUCT_WIDENED, false},
                                     {"bf16_rounded", IDELTA_FORMAT_BF16, IDELTA_BF16_PRODUCT_ROUNDED, true},
                                     {"int8", IDELTA_FORMAT_INT8, IDELTA_BF16_PRODUCT_AUTO, true}};
const ForcedFormat* the_format = kFormats;

// The features that any row needs and this machine has; tiles are emulated.
FeatureSet known_features() {
  FeatureSet known = 0;
  for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) known |= row.needs;
  return known & (idelta::core::cpu_features().set | idelta::core::kAmxBf16 | idelta::core::kAmxInt8);
}

std::vector<FeatureSet> every_combination() {
  const FeatureSet known = known_features();
  std::vector<FeatureSet> all;
  for (FeatureSet set = known;; set = (set - 1) & known) {
    all.push_back(set);
    if (set == 0) return all;
  }
}

std::string described(FeatureSet features) {
  std::string text = "features";
  for (FeatureSet bit = 1; bit != 0; bit <<= 1) {
    if (features & bit) text += " " + std::to_string(std::countr_zero(bit));
  }
  return text;
}

idelta_isa best(FeatureSet features) {
  idelta::core::CpuFeatures cpu = idelta::core::cpu_features();
  cpu.set = features;
  return idelta::core::choose_isa(IDELTA_ISA_AUTO, nullptr, cpu).isa;
}

ContextPtr context_of(FeatureSet features, idelta_isa isa) {
  idelta::core::CpuFeatures cpu = idelta::core::cpu_features();
  cpu.set = features;
  ContextPtr context(idelta::core::create_context(context_options(isa, 2), cpu));
  if (isa == IDELTA_ISA_AMX) {
    context->kernels.bf16_dot.run = idelta::amx::multiply<idelta::amx::Bf16Product<false>, EmulatedTiles, Vector>;
    context->kernels.bf16x3_dot.run = idelta::amx::multiply<idelta::amx::Bf16Product<true>, EmulatedTiles, Vector>;
    if (has(features, idelta::core::kAmxInt8)) {
      context->kernels.int8_dot.run = idelta::amx::multiply<idelta::amx::Int8Product, EmulatedTiles, Vector>;
    }
  }
  return context;
}

constexpr int64_t kWidths[] = {1, 33, 70, 100}, kBatches[] = {1, 5, 40};

// use(problem) in every format; the format is forced meanwhile.
template <class Use>
void each_problem(const Use& use) {
  for (const ForcedFormat& format : kFormats) {
    the_format = &format;
    for (const int64_t n : kWidths) {
      for (const int64_t m : kBatches) {
        SCOPED_TRACE(std::string(format.name) + " n " + std::to_string(n) + " m " + std::to_string(m));
        use(Problem{m, n});
      }
    }
  }
}

// Tiles sum in another order. Two steps of AdamW are discontinuous in the gradient, so that only what comes before them
// is compared.
void expect_close(const Bits& expected, const Bits& actual) {
  for (const char* name : {"forward y", "forward contribution", "backward_data dx", "backward_weights dD"}) {
    const std::vector<uint32_t>&left = expected.at(name), &right = actual.at(name);
    ASSERT_EQ(left.size(), right.size()) << name;
    for (size_t i = 0; i < left.size(); ++i) {
      const float value = std::bit_cast<float>(left[i]);
      ASSERT_NEAR(value, std::bit_cast<float>(right[i]), 1e-5 * (1 + std::fabs(value))) << name << ": element " << i;
    }
  }
}

TEST(FeatureCombinations, AllComputeWhatTheScalarTableDoes) {
  std::vector<std::pair<KernelTable, FeatureSet>> seen;
  for (const FeatureSet features : every_combination()) {
    const idelta_isa isa = best(features);
    const KernelTable table = idelta::core::overlaid(features, isa);
    bool again = false;
    for (const auto& [other, first] : seen) again |= std::memcmp(&other, &table, sizeof table) == 0;
    if (again) continue;
    seen.emplace_back(table, features);
    each_problem([&](const Problem& problem) {
      SCOPED_TRACE(described(features) + ", " + idelta_isa_name(isa));
      const Bits expected = run_every_pass(context_of(0, IDELTA_ISA_SCALAR), problem);
      const Bits actual = run_every_pass(context_of(features, isa), problem);
      if (isa == IDELTA_ISA_AMX && the_format->rounds_x && !stores_int8()) return expect_close(expected, actual);
      expect_same_bits(expected, actual);
    });
  }
}

// Factors, by rank and by tolerance, and both passes of them.
TEST(FeatureCombinations, LowRankHasTheBitsOfTheScalarTable) {
  std::vector<KernelTable> seen;
  for (const FeatureSet features : every_combination()) {
    const idelta_isa isa = best(features);
    const KernelTable table = idelta::core::overlaid(features, isa);
    const auto same = [&](const KernelTable& other) { return std::memcmp(&other, &table, sizeof table) == 0; };
    if (std::any_of(seen.begin(), seen.end(), same)) continue;
    seen.push_back(table);
    for (const int64_t n : kWidths) {
      for (const int64_t m : kBatches) {
        SCOPED_TRACE(described(features) + ", " + idelta_isa_name(isa) + " n " + std::to_string(n) + " m " +
                     std::to_string(m));
        const int64_t rank = (n + 2) / 3;
        expect_same_bits(run_low_rank(context_of(0, IDELTA_ISA_SCALAR), {m, n}, rank),
                         run_low_rank(context_of(features, isa), {m, n}, rank));
      }
    }
  }
}

// A head and a tail of whose panels some skip steps that their neighbours multiply. Tables differ in how many panels of
// the tail finish the head's sums of a few columns.
TEST(FeatureCombinations, TailsThatAreZeroInPartsHaveTheBitsOfTheScalarTable) {
  constexpr int64_t n = 100, r = 3, m = 5;
  Random random(5);
  const FactorPair f = unlike_factors(n, r, 1, random);
  const Matrix x(m, n), y(m, n);
  fill_uniform(x, random);
  std::vector<int8_t> q(n * n);
  const std::vector<float> scales(n, 0x1p-8f);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) q[static_cast<size_t>(i * n + j)] = (i < 64) == (j / 16 % 2 == 0) ? 7 : 0;
  }
  const idelta_int8_tail tail = {q.data(), n, scales.data()};
  const idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
  idelta_delta_options options = low_rank_options(0);
  options.passes = IDELTA_PASS_FORWARD;
  const auto bits_with = [&](const ContextPtr& context) {
    idelta_delta* made = nullptr;
    EXPECT_OK(idelta_delta_pack_measured(context.get(), n, r, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(), &tail, &proof,
                                         &options, &made));
    const DeltaPtr delta(made);
    const idelta_forward_args args = forward_args(x, y);
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
    return Bits{{"y", y.element_bits()}};
  };
  const Bits expected = bits_with(context_of(0, IDELTA_ISA_SCALAR));
  for (const FeatureSet features : every_combination()) {
    SCOPED_TRACE(described(features));
    expect_same_bits(expected, bits_with(context_of(features, best(features))));
  }
}

// What has tiles computes the same whatever else it has.
TEST(FeatureCombinations, TilesDoNotMeetOtherTablesKernels) {
  const FeatureSet all = known_features();
  if (best(all) != IDELTA_ISA_AMX) GTEST_SKIP() << "this machine has no AVX-512 for them to stand upon";
  each_problem([&](const Problem& problem) {
    expect_same_bits(run_every_pass(context_of(all, IDELTA_ISA_AMX), problem),
                     run_every_pass(context_of(all & ~idelta::core::kAvx512Bf16, IDELTA_ISA_AMX), problem));
  });
}

// f(slot, name) for every kernel of a table.
template <class F>
void each_slot(const KernelTable& t, const F& f) {
  const auto& [forward, weights, copy, pack, pack_transposed, sums, step, round_panel, round_rows, round_transposed,
               bf16_forward, dot, dot3, scale_add, squares, quantize, int8_dot] = t;
  f(forward, "f32_forward"), f(weights, "f32_weights"), f(copy, "f32_copy_rows"), f(pack, "f32_pack_panel");
  f(pack_transposed, "f32_pack_panel_transposed"), f(sums, "f32_column_sums"), f(step, "f32_optimizer_step");
  f(round_panel, "bf16_round_panel"), f(round_rows, "bf16_round_rows");
  f(round_transposed, "bf16_round_rows_transposed"), f(bf16_forward, "bf16_forward"), f(dot, "bf16_dot");
  f(dot3, "bf16x3_dot"), f(scale_add, "f32_scale_add"), f(squares, "f32_row_squares");
  f(quantize, "int8_quantize_rows"), f(int8_dot, "int8_dot");
}

template <class Args>
constexpr bool kMultiplies = std::is_same_v<Args, idelta::ForwardTile> || std::is_same_v<Args, idelta::Bf16Block> ||
                             std::is_same_v<Args, idelta::Int8Block> || std::is_same_v<Args, idelta::WeightsTile> ||
                             std::is_same_v<Args, idelta::OptimizerStep>;

TEST(KernelTables, EveryKernelThatMultipliesBringsItsShape) {
  for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) {
    each_slot(*row.table, [&]<class Args, class Result>(const Kernel<Args, Result>& kernel, const char* name) {
      SCOPED_TRACE(std::string(row.name) + " " + name);
      if (!kernel.run) {
        EXPECT_EQ(0, kernel.mr + kernel.nr + kernel.rows_past_last + kernel.few_rows) << "a shape without a kernel";
      } else if (kMultiplies<Args>) {
        EXPECT_GT(kernel.mr, 0);
        EXPECT_GT(kernel.nr, 0);
        EXPECT_EQ(0, kernel.nr % idelta::kLine);
        EXPECT_LE(kernel.nr, idelta::kWidest);
        EXPECT_EQ(std::string(name).starts_with("f32") ? 1 : std::string(name).starts_with("bf16") ? 2 : 4, kernel.kr);
      }
    });
  }
}

TEST(KernelTables, EveryOverlayIsWhole) {
  for (const FeatureSet features : every_combination()) {
    SCOPED_TRACE(described(features));
    const KernelTable table = idelta::core::overlaid(features, best(features));
    each_slot(table, [](const auto& kernel, const char* name) { EXPECT_NE(nullptr, kernel.run) << name; });
    // What kernels.h promises of panels that several kernels read or write.
    EXPECT_EQ(table.f32_forward.nr, table.f32_weights.nr);
    EXPECT_EQ(table.f32_forward.nr, table.f32_optimizer_step.nr);
    EXPECT_EQ(0, table.f32_weights.nr % table.bf16_dot.nr);
    EXPECT_EQ(0, table.f32_weights.nr % table.bf16x3_dot.nr);
  }
}

// Every slot of a row whose needs are met takes the place of those below, shape and all; others leave no trace.
TEST(KernelTables, LaterRowsTakeThePlaceOfEarlierOnes) {
  for (const FeatureSet features : every_combination()) {
    for (const idelta_isa up_to : {IDELTA_ISA_SCALAR, IDELTA_ISA_AVX2, IDELTA_ISA_AVX512, IDELTA_ISA_AMX}) {
      SCOPED_TRACE(described(features) + " up to " + idelta_isa_name(up_to));
      std::map<std::string, std::vector<ptrdiff_t>> expected;
      const auto words_of = [](const auto& k) {
        return std::vector<ptrdiff_t>{k.mr, k.nr, k.kr, k.rows_past_last, k.few_rows, std::bit_cast<ptrdiff_t>(k.run)};
      };
      for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) {
        if (row.isa > up_to || !has(features, row.needs)) continue;
        each_slot(*row.table, [&](const auto& k, const char* name) {
          if (k.run) expected[name] = words_of(k);
        });
      }
      each_slot(idelta::core::overlaid(features, up_to),
                [&](const auto& k, const char* name) { EXPECT_EQ(expected.at(name), words_of(k)) << name; });
    }
  }
}

TEST(KernelTables, FeaturesWithoutTheirIsaAreIgnored) {
  using namespace idelta::core;
  const auto same = [](FeatureSet a, FeatureSet b) {
    const KernelTable left = overlaid(a, IDELTA_ISA_AMX), right = overlaid(b, IDELTA_ISA_AMX);
    return std::memcmp(&left, &right, sizeof left) == 0;
  };
  EXPECT_TRUE(same(0, kAvx512Bf16 | kAmxBf16 | kAvx512));
  EXPECT_TRUE(same(0, kAvx2));
  EXPECT_TRUE(same(kAvx2Isa, kAvx2Isa | kAvx512Bf16 | kAmxBf16));
  EXPECT_FALSE(supported(kAvx512, IDELTA_ISA_AVX512));
  EXPECT_FALSE(supported(kAvx2Isa | kAmxBf16, IDELTA_ISA_AMX));
  EXPECT_FALSE(supported(kAvx512Isa | kTilesOffered, IDELTA_ISA_AMX));
}

// ---- The product of format BF16 ----------------------------------------------------------------------------------

// Which of vpdpbusd's encodings is used goes by the instruction set, too.
TEST(IntegerUnit, FollowsFromIsaAndFeatures) {
  using namespace idelta::core;
  const auto name = [](idelta_isa isa, FeatureSet features) { return std::string(integer_unit(isa, features).name); };
  const FeatureSet all = kAvxVnni | kAvx512Vnni | kAmxInt8;
  EXPECT_EQ("one product at a time", name(IDELTA_ISA_SCALAR, all));
  EXPECT_EQ("vpdpbusd of AVX-VNNI", name(IDELTA_ISA_AVX2, all));
  EXPECT_EQ("vpdpbusd of AVX512_VNNI", name(IDELTA_ISA_AVX512, all));
  EXPECT_EQ("vpdpbusd of AVX512_VNNI", name(IDELTA_ISA_AMX, kAvx512Vnni));
  EXPECT_EQ("tdpbusd, AMX's tiles", name(IDELTA_ISA_AMX, all));
  EXPECT_EQ(0u, name(IDELTA_ISA_AVX2, kAvx512Vnni).find("vpmaddubsw"));
  EXPECT_EQ(0u, name(IDELTA_ISA_AVX512, kAvxVnni).find("vpmaddubsw"));
  const ContextPtr context = context_of(cpu_features().set, IDELTA_ISA_SCALAR);
  EXPECT_NE(std::string::npos, context->description.find("INT8     one product at a time\n"));
}

TEST(Bf16Product, AutoFollowsFromTheFeaturesAlone) {
  using namespace idelta::core;
  const auto rounds = [](idelta_isa isa, FeatureSet features) {
    return choose_bf16_product(IDELTA_BF16_PRODUCT_AUTO, nullptr, isa, features).dot;
  };
  const FeatureSet zen4 = kAvx512Isa | kAvx512Bf16 | kAvx512Vnni, sapphire = zen4 | kTilesOffered | kAmxBf16;
  EXPECT_FALSE(rounds(IDELTA_ISA_SCALAR, zen4));
  EXPECT_FALSE(rounds(IDELTA_ISA_AVX2, zen4));
  EXPECT_TRUE(rounds(IDELTA_ISA_AVX512, zen4));
  EXPECT_FALSE(rounds(IDELTA_ISA_AVX512, kAvx512Isa));
  EXPECT_TRUE(rounds(IDELTA_ISA_AMX, sapphire));
  EXPECT_FALSE(rounds(IDELTA_ISA_AVX512, sapphire)) << "AMX not asked for";
  EXPECT_FALSE(rounds(IDELTA_ISA_AVX512, zen4 | kTilesOffered)) << "AMX refused by Linux";
}

}  // namespace

idelta_isa forced_isa() { return IDELTA_ISA_AUTO; }
const ForcedFormat& forced_format() { return *the_format; }
bool reduced() { return true; }

}  // namespace idelta_test
