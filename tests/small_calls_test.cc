// Calls with few arguments: each is refused when one is wrong, and the message names that one and its value.
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/words.h"

namespace idelta_test {
namespace {

class SmallCalls : public ContextTest {
 protected:
  SmallCalls() {
    Random random(1);
    fill_delta(D, random), fill_uniform(x, random);
    delta = pack(context, D);
  }

  // A call, and the words that its message must have.
  struct Refused {
    std::vector<std::string> words;
    std::function<idelta_status()> call;
  };
  void expect_refusals(const std::vector<Refused>& calls) const {
    for (const Refused& refused : calls) {
      EXPECT_EQ(IDELTA_INVALID_ARGUMENT, refused.call()) << refused.words.back();
      for (const std::string& word : refused.words) {
        EXPECT_TRUE(has_word(idelta_last_error(), word)) << '"' << word << "\" is not in: " << idelta_last_error();
      }
      EXPECT_TRUE(out.untouched());
    }
  }

  static constexpr int64_t m = 3, n = 11;
  Matrix D{n, n}, x{m, n}, out{n, n};
  DeltaPtr delta;
  const idelta_context* const c = context.get();
  const float* const X = x.data();
  float* const Y = out.data();
};

TEST_F(SmallCalls, PackedDelta) {
  idelta_delta* d = delta.get();
  idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT, wrong_info = info;
  wrong_info.struct_size = 1;
  expect_refusals({
      {{"context"}, [&] { return idelta_delta_unpack(nullptr, d, Y, n); }},
      {{"delta"}, [&] { return idelta_delta_unpack(c, nullptr, Y, n); }},
      {{"D"}, [&] { return idelta_delta_unpack(c, d, nullptr, n); }},
      {{"ldd", "10"}, [&] { return idelta_delta_unpack(c, d, Y, 10); }},
      {{"context"}, [&] { return idelta_delta_repack(nullptr, d, X, n); }},
      {{"delta"}, [&] { return idelta_delta_repack(c, nullptr, X, n); }},
      {{"D"}, [&] { return idelta_delta_repack(c, d, nullptr, n); }},
      {{"ldd", "10"}, [&] { return idelta_delta_repack(c, d, X, 10); }},
      {{"context"}, [&] { return idelta_delta_info(nullptr, d, &info); }},
      {{"delta"}, [&] { return idelta_delta_info(c, nullptr, &info); }},
      {{"info"}, [&] { return idelta_delta_info(c, d, nullptr); }},
      {{"struct_size", "1"}, [&] { return idelta_delta_info(c, d, &wrong_info); }},
  });
}

TEST_F(SmallCalls, Panels) {
  int64_t floats = 12345;
  expect_refusals({
      {{"context"}, [&] { return idelta_panels_floats(nullptr, n, &floats); }},
      {{"n", "0"}, [&] { return idelta_panels_floats(c, 0, &floats); }},
      {{"floats"}, [&] { return idelta_panels_floats(c, n, nullptr); }},
      {{"context"}, [&] { return idelta_panels_pack(nullptr, n, X, n, Y); }},
      {{"n", "-1"}, [&] { return idelta_panels_pack(c, -1, X, n, Y); }},
      {{"rows"}, [&] { return idelta_panels_pack(c, n, nullptr, n, Y); }},
      {{"ld", "10"}, [&] { return idelta_panels_pack(c, n, X, 10, Y); }},
      {{"panels"}, [&] { return idelta_panels_pack(c, n, X, n, nullptr); }},
      {{"context"}, [&] { return idelta_panels_unpack(nullptr, n, X, Y, n); }},
      {{"n", "0"}, [&] { return idelta_panels_unpack(c, 0, X, Y, n); }},
      {{"panels"}, [&] { return idelta_panels_unpack(c, n, nullptr, Y, n); }},
      {{"rows"}, [&] { return idelta_panels_unpack(c, n, X, nullptr, n); }},
      {{"ld", "10"}, [&] { return idelta_panels_unpack(c, n, X, Y, 10); }},
  });
  EXPECT_EQ(12345, floats);
}

TEST_F(SmallCalls, SpectralNormBound) {
  double norm = 12345;
  Matrix bad = D.copy();
  bad(2, 1) = std::numeric_limits<float>::infinity();
  expect_refusals({
      {{"context"}, [&] { return idelta_spectral_norm_bound(nullptr, n, D.data(), n, 1, &norm); }},
      {{"n", "0"}, [&] { return idelta_spectral_norm_bound(c, 0, D.data(), n, 1, &norm); }},
      {{"D"}, [&] { return idelta_spectral_norm_bound(c, n, nullptr, n, 1, &norm); }},
      {{"ldd", "10"}, [&] { return idelta_spectral_norm_bound(c, n, D.data(), 10, 1, &norm); }},
      {{"identity_scale", "nan"}, [&] { return idelta_spectral_norm_bound(c, n, D.data(), n, NAN, &norm); }},
      {{"D[2, 1]", "inf"}, [&] { return idelta_spectral_norm_bound(c, n, bad.data(), bad.ld(), 1, &norm); }},
      {{"bound"}, [&] { return idelta_spectral_norm_bound(c, n, D.data(), n, 1, nullptr); }},
  });
  EXPECT_EQ(12345, norm);
}

TEST_F(SmallCalls, LowRankMeasure) {
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT, wrong = proof;
  wrong.struct_size = 1;
  expect_refusals({
      {{"context"},
       [&] { return idelta_low_rank_measure(nullptr, n, X, n, 0, nullptr, 0, nullptr, 0, nullptr, &proof); }},
      {{"proof"}, [&] { return idelta_low_rank_measure(c, n, X, n, 0, nullptr, 0, nullptr, 0, nullptr, nullptr); }},
      {{"struct_size", "1"},
       [&] { return idelta_low_rank_measure(c, n, X, n, 0, nullptr, 0, nullptr, 0, nullptr, &wrong); }},
  });
}

TEST_F(SmallCalls, WorkspaceBytes) {
  idelta_delta* d = delta.get();
  size_t bytes = 12345;
  expect_refusals({
      {{"context"}, [&] { return idelta_forward_workspace_bytes(nullptr, d, 1, &bytes); }},
      {{"delta"}, [&] { return idelta_forward_workspace_bytes(c, nullptr, 1, &bytes); }},
      {{"m", "-2"}, [&] { return idelta_forward_workspace_bytes(c, d, -2, &bytes); }},
      {{"bytes"}, [&] { return idelta_forward_workspace_bytes(c, d, 1, nullptr); }},
      {{"m", "-2"}, [&] { return idelta_backward_data_workspace_bytes(c, d, -2, &bytes); }},
      {{"n", "0"}, [&] { return idelta_backward_weights_workspace_bytes(c, 1, 0, &bytes); }},
      {{"m", "-2"}, [&] { return idelta_update_workspace_bytes(c, d, -2, &bytes); }},
  });
  EXPECT_EQ(12345u, bytes);
}

TEST_F(SmallCalls, Sidmm) {
  const auto sidmm = [&](const idelta_context* with, int64_t rows, int64_t width, const float* from, int64_t ldx,
                         const float* delta_matrix, int64_t ldd, float* to, int64_t ldy) {
    return idelta_sidmm(with, 0, rows, width, 1, 1, from, ldx, delta_matrix, ldd, 0, to, ldy);
  };
  expect_refusals({
      {{"context"}, [&] { return sidmm(nullptr, m, n, X, n, D.data(), n, Y, n); }},
      {{"m", "-1"}, [&] { return sidmm(c, -1, n, X, n, D.data(), n, Y, n); }},
      {{"n", "0"}, [&] { return sidmm(c, m, 0, X, n, D.data(), n, Y, n); }},
      {{"x"}, [&] { return sidmm(c, m, n, nullptr, n, D.data(), n, Y, n); }},
      {{"ldx", "10"}, [&] { return sidmm(c, m, n, X, 10, D.data(), n, Y, n); }},
      {{"D"}, [&] { return sidmm(c, m, n, X, n, nullptr, n, Y, n); }},
      {{"ldd", "10"}, [&] { return sidmm(c, m, n, X, n, D.data(), 10, Y, n); }},
      {{"y"}, [&] { return sidmm(c, m, n, X, n, D.data(), n, nullptr, n); }},
      {{"ldy", "10"}, [&] { return sidmm(c, m, n, X, n, D.data(), n, Y, 10); }},
  });
}

TEST_F(SmallCalls, Sidmv) {
  const auto sidmv = [&](const idelta_context* with, int64_t width, const float* from, int64_t incx,
                         const float* delta_matrix, int64_t ldd, float* to, int64_t incy) {
    return idelta_sidmv(with, 0, width, 1, 1, from, incx, delta_matrix, ldd, 0, to, incy);
  };
  expect_refusals({
      {{"context"}, [&] { return sidmv(nullptr, n, X, 1, D.data(), n, Y, 1); }},
      {{"n", "-1"}, [&] { return sidmv(c, -1, X, 1, D.data(), n, Y, 1); }},
      {{"x"}, [&] { return sidmv(c, n, nullptr, 1, D.data(), n, Y, 1); }},
      {{"incx", "0"}, [&] { return sidmv(c, n, X, 0, D.data(), n, Y, 1); }},
      {{"D"}, [&] { return sidmv(c, n, X, 1, nullptr, n, Y, 1); }},
      {{"ldd", "10"}, [&] { return sidmv(c, n, X, 1, D.data(), 10, Y, 1); }},
      {{"y"}, [&] { return sidmv(c, n, X, 1, D.data(), n, nullptr, 1); }},
      {{"incy", "0"}, [&] { return sidmv(c, n, X, 1, D.data(), n, Y, 0); }},
  });
}

}  // namespace
}  // namespace idelta_test
