// struct_size: today's size and those of earlier headers are taken, every other one is refused with both sizes, and
// nothing behind the caller's struct is read or written. tests/compatibility has a whole program of 0.1.
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/fixture.h"

namespace idelta_test {
namespace {

bool says(const std::string& words) { return std::string(idelta_last_error()).find(words) != std::string::npos; }

// `call` is given sizes from 0 on and must take exactly `known`.
void expect_sizes(const std::string& what, const std::vector<size_t>& known,
                  const std::function<idelta_status(size_t)>& call) {
  for (size_t size = 0; size < known.back() + 64; ++size) {
    bool taken = false;
    for (const size_t each : known) taken = taken || each == size;
    const idelta_status status = call(size);
    if (taken) {
      EXPECT_OK(status) << what << ' ' << size;
      continue;
    }
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, status) << what << ' ' << size;
    EXPECT_TRUE(says(what + "->struct_size = " + std::to_string(size)) && says(std::to_string(known.back())))
        << idelta_last_error();
    EXPECT_EQ(size > known.back(), says("made for a newer idelta")) << size << ": " << idelta_last_error();
  }
}

class StructSize : public ContextTest {
 protected:
  StructSize() {
    fill(D, [] { return 0.5f; });
    fill(x, [] { return 1.0f; });
    delta = pack(context, D);
  }

  static constexpr int64_t n = 5;
  Matrix D{n, n}, x{2, n}, out{2, n}, dD{n, n};
  DeltaPtr delta;
};

TEST_F(StructSize, ContextOptions) {
  expect_sizes("options", {sizeof(idelta_context_options)}, [](size_t size) {
    idelta_context_options options = context_options();
    options.struct_size = size;
    idelta_context* made = nullptr;
    const idelta_status status = idelta_context_create(&options, &made);
    idelta_context_destroy(made);
    return status;
  });
}

TEST_F(StructSize, DeltaOptions) {
  expect_sizes("options", {offsetof(idelta_delta_options, rank), sizeof(idelta_delta_options)}, [&](size_t size) {
    idelta_delta_options options = delta_options();
    options.struct_size = size;
    if (size <= offsetof(idelta_delta_options, rank)) {  // what lies behind 0.1's struct
      options.rank = options.expected_rows = options.sample_rows = -77;
      options.tail = static_cast<idelta_tail>(77);
    }
    idelta_delta* made = nullptr;
    const idelta_status status = idelta_delta_pack(context.get(), n, D.data(), n, &options, &made);
    idelta_delta_destroy(made);
    return status;
  });
}

TEST_F(StructSize, CandidatesWriteNoByteBeyondTheCallers) {
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_AUTO;
  options.tolerance = 1e-2;
  expect_sizes("candidates[0]", {sizeof(idelta_candidate)}, [&](size_t size) {
    std::vector<unsigned char> memory(4 * size + sizeof(idelta_candidate), 0xa5);
    const size_t elements = size < sizeof(size_t) ? 1 : 4;
    for (size_t i = 0; i < elements; ++i) std::memcpy(memory.data() + i * size, &size, sizeof size);
    int64_t count = 0;
    const idelta_status status = idelta_delta_candidates(context.get(), n, D.data(), n, &options,
                                                         reinterpret_cast<idelta_candidate*>(memory.data()),
                                                         static_cast<int64_t>(elements), &count);
    for (size_t i = 4 * size; status == IDELTA_OK && i < memory.size(); ++i) EXPECT_EQ(0xa5, memory[i]) << size;
    return status;
  });
}

TEST_F(StructSize, DeltaInfoWritesNoByteBeyondTheCallersSize) {
  expect_sizes("info", {offsetof(idelta_delta_info_t, rank), sizeof(idelta_delta_info_t)}, [&](size_t size) {
    struct {
      idelta_delta_info_t info;
      unsigned char behind[64];
    } memory;
    std::memset(&memory, 0xa5, sizeof memory);
    memory.info.struct_size = size;
    const idelta_status status = idelta_delta_info(context.get(), delta.get(), &memory.info);
    EXPECT_EQ(size, memory.info.struct_size);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&memory);
    for (size_t i = status == IDELTA_OK ? size : sizeof(size_t); i < sizeof memory; ++i) EXPECT_EQ(0xa5, bytes[i]) << i;
    if (status == IDELTA_OK) {
      EXPECT_EQ(n, memory.info.n);
      EXPECT_EQ(2.5, memory.info.norm_one);
    }
    return status;
  });
}

TEST_F(StructSize, ArgumentsOfThePasses) {
  const idelta_context* c = context.get();
  expect_sizes("args", {offsetof(idelta_forward_args, row_error), sizeof(idelta_forward_args)}, [&](size_t size) {
    idelta_forward_args args = forward_args(x, out);
    args.struct_size = size;
    // What lies behind 0.1's struct.
    if (size <= offsetof(idelta_forward_args, row_error)) args.row_error = reinterpret_cast<float*>(8);
    return idelta_forward(c, delta.get(), &args);
  });
  expect_sizes("args", {sizeof(idelta_backward_data_args)}, [&](size_t size) {
    idelta_backward_data_args args = backward_data_args(x, x, out);
    args.struct_size = size;
    return idelta_backward_data(c, delta.get(), &args);
  });
  expect_sizes("args", {sizeof(idelta_backward_weights_args)}, [&](size_t size) {
    idelta_backward_weights_args args = backward_weights_args(x, x, dD, nullptr);
    args.struct_size = size;
    return idelta_backward_weights(c, &args);
  });
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  expect_sizes("args", {sizeof(idelta_update_args)}, [&](size_t size) {
    idelta_update_args args = update_args(x, x, optimizer, D);
    args.struct_size = size;
    return idelta_update(c, delta.get(), &args);
  });
  expect_sizes("optimizer", {sizeof(idelta_optimizer)}, [&](size_t size) {
    idelta_optimizer sized = optimizer;
    sized.struct_size = size;
    const idelta_update_args args = update_args(x, x, sized, D);
    EXPECT_EQ(idelta_update(c, delta.get(), &args), idelta_optimizer_check(&sized));
    return idelta_update(c, delta.get(), &args);
  });
}

// And it never multiplies gradients.
TEST_F(StructSize, RankIsForLowRank) {
  idelta_delta_options options = delta_options();
  idelta_delta* made = nullptr;
  const auto packed = [&] { return idelta_delta_pack(context.get(), n, D.data(), n, &options, &made); };
  options.rank = 2;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, packed());
  EXPECT_TRUE(says("rank = 2")) << idelta_last_error();
  options.format = IDELTA_FORMAT_LOW_RANK;
  for (const int64_t rank : {int64_t{-1}, n + 1}) {
    options.rank = rank;
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, packed());
    EXPECT_TRUE(says("rank = " + std::to_string(rank))) << idelta_last_error();
  }
  EXPECT_EQ(nullptr, made);
  options.rank = 1;
  ASSERT_OK(packed());
  EXPECT_EQ(1, info_of(context, DeltaPtr(made)).rank);
  idelta_backward_weights_args args = backward_weights_args(x, x, dD, nullptr);
  args.format = IDELTA_FORMAT_LOW_RANK;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_backward_weights(context.get(), &args));
  EXPECT_TRUE(says("format = low_rank")) << idelta_last_error();
  EXPECT_EQ(0, info_of(context, delta).rank);
}

}  // namespace
}  // namespace idelta_test
