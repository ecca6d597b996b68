// The header of a packed delta from inside: whatever field of it is damaged, the next call says so.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "src/core/formats/delta.h"
#include "src/core/formats/list.h"

namespace {

class DeltaHeader : public ::testing::Test {
 protected:
  DeltaHeader() {
    const float D[4] = {1, 2, 3, 4};
    EXPECT_EQ(IDELTA_OK, idelta_context_create(nullptr, &context));
    EXPECT_EQ(IDELTA_OK, idelta_delta_pack(context, 2, D, 2, nullptr, &delta));
  }
  ~DeltaHeader() override {
    idelta_delta_destroy(delta);
    idelta_context_destroy(context);
  }

  idelta_status use() {
    idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
    return idelta_delta_info(context, delta, &info);
  }

  idelta_context* context = nullptr;
  idelta_delta* delta = nullptr;
};

TEST_F(DeltaHeader, DamageToAnyFieldIsNoticed) {
  using Header = idelta_delta::Header;
  const std::pair<const char*, std::function<void(Header&)>> damages[] = {
      {"magic", [](Header& h) { h.magic ^= 1; }},
      {"version", [](Header& h) { h.version += 1; }},
      {"isa", [](Header& h) { h.isa = h.isa == IDELTA_ISA_SCALAR ? IDELTA_ISA_AVX2 : IDELTA_ISA_SCALAR; }},
      {"format", [](Header& h) { h.format = idelta::core::all_formats().front(); }},
      {"asked", [](Header& h) { h.asked = IDELTA_FORMAT_BF16X3; }},
      {"passes", [](Header& h) { h.passes = IDELTA_PASS_FORWARD; }},
      {"n", [](Header& h) { h.n += 1; }},
      {"nr", [](Header& h) { h.nr += 1; }},
      {"rank", [](Header& h) { h.rank += 1; }},
      {"identity_scale", [](Header& h) { h.identity_scale = 0.5f; }},
      {"identity_scale's sign", [](Header& h) { h.identity_scale = -h.identity_scale; }},
      {"transposed", [](Header& h) { h.transposed = !h.transposed; }},
      {"tolerance", [](Header& h) { h.tolerance = 1e-3; }},
      {"tolerance's sign", [](Header& h) { h.tolerance = -0.0; }},
  };
  const Header whole = delta->header;
  for (const auto& [field, damage] : damages) {
    damage(delta->header);
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, use()) << field;
    EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find("not a packed delta")) << field;
    delta->header = whole;
    EXPECT_EQ(IDELTA_OK, use()) << field << ": " << idelta_last_error();
  }
}

TEST_F(DeltaHeader, DamageToTheChecksumIsNoticed) {
  delta->checksum ^= uint64_t{1} << 63;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, use());
}

}  // namespace
