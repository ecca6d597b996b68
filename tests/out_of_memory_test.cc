// Every request for memory that a call of idelta.h makes, refused once: the call says OUT_OF_MEMORY, has changed
// nothing and lost nothing, and gives the usual bits when it is made again.
#include "support/out_of_memory.h"

#include <dlfcn.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "support/low_rank.h"
#include "support/sanitized.h"

#if IDELTA_TEST_SANITIZED
extern "C" int next_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept
    asm("__interceptor_pthread_create");
#else
static int next_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*begin)(void*),
                               void* argument) noexcept {
  static const auto next = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return next(thread, attributes, begin, argument);
}
#endif

namespace {

// Threads that were wanted and refused, from `refuses_threads` on.
std::atomic<bool> refuses_threads{false};
std::atomic<int> threads_refused{0};

}  // namespace

// Stands before the C library's, as allocations.cc does.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*begin)(void*),
                              void* argument) noexcept {
  if (!refuses_threads) return next_pthread_create(thread, attributes, begin, argument);
  ++threads_refused;
  return EAGAIN;
}

namespace idelta_test {
namespace {

constexpr int64_t kRows = 40, kWidth = 33;

Ended ended(idelta_status status) {
  return status == IDELTA_OK ? Ended::kDone : status == IDELTA_OUT_OF_MEMORY ? Ended::kNoMemory : Ended::kOtherwise;
}

std::vector<uint32_t> bits_of(const std::vector<const Matrix*>& matrices) {
  std::vector<uint32_t> all;
  for (const Matrix* each : matrices) {
    for (const uint32_t bits : each->element_bits()) all.push_back(bits);
  }
  return all;
}

void clear(const std::vector<const Matrix*>& outputs) {
  for (const Matrix* output : outputs) fill(*output, [] { return std::bit_cast<float>(kCanary); });
}

// A way to pack a delta of kWidth.
struct Packing {
  std::string name;
  idelta_delta_options options;
  bool stepped = true;  // idelta_update takes it
  size_t least = 0;     // bytes of the requests that are refused
};

// Each format; and every path by which a tolerance or a rank is met. Factorising makes
// hundreds of requests, whatever the context.
std::vector<Packing> packings(bool transposed = false, bool factorised = true) {
  const auto options = [&](idelta_format format, double tolerance = 0, int64_t rank = 0) {
    idelta_delta_options o = delta_options(1.0f, IDELTA_PASS_BOTH, transposed);
    o.format = format;
    o.tolerance = tolerance;
    o.rank = rank;
    return o;
  };
  std::vector<Packing> all;
  for (const idelta_format format : idelta::kinds_of(idelta_format_names(), idelta_format_by_name)) {
    const std::string name = idelta_format_name(format);
    if (format == IDELTA_FORMAT_AUTO || format == IDELTA_FORMAT_LOW_RANK) continue;
    const bool stepped = format != IDELTA_FORMAT_INT8;
    all.push_back({name, options(format), stepped});
    if (factorised) all.push_back({name + " within", options(format, 1), stepped});
  }
  if (!factorised) return all;
  all.push_back({"low_rank of a rank", options(IDELTA_FORMAT_LOW_RANK, 0, 9), false});
  all.push_back({"low_rank with a tail", options(IDELTA_FORMAT_LOW_RANK, 0, 9), false});
  all.back().options.tail = IDELTA_TAIL_INT8;
  // Searches make thousands of requests, most of them like those above.
  const size_t matrix = kWidth * kWidth * sizeof(float);
  all.push_back({"low_rank within", options(IDELTA_FORMAT_LOW_RANK, 0.2), false, matrix});
  all.push_back({"auto within sgemm's", options(IDELTA_FORMAT_AUTO, IDELTA_TOLERANCE_SGEMM), false, matrix});
  return all;
}

// A context of every way to multiply, and one of two threads.
class OutOfMemoryTest : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_GT(found_none, 0) << "memory was never short: nothing was tested"; }

  OutOfMemoryTest() {
    Random random(5);
    for (const Matrix* each : {&x, &dy, &bias}) fill_uniform(*each, random);
    fill_spectrum(D, falling_spectrum(kWidth), random), fill_spectrum(other_D, falling_spectrum(kWidth, 0.2), random);
  }

  static std::vector<ContextPtr> contexts() {
    std::vector<ContextPtr> all;
    const auto add = [&](int32_t threads, idelta_bf16_product product) {
      idelta_context_options options = context_options(forced_isa(), threads);
      options.bf16_product = product;
      idelta_context* context = nullptr;
      if (idelta_context_create(&options, &context) == IDELTA_OK) all.emplace_back(context);
    };
    add(1, IDELTA_BF16_PRODUCT_WIDENED);
    add(1, IDELTA_BF16_PRODUCT_ROUNDED);
    add(2, IDELTA_BF16_PRODUCT_WIDENED);
    return all;
  }

  // Packed by `pack`, unpacked as the bits that tell one delta from another.
  static Refusable packed_by(const std::string& name, const ContextPtr& context,
                             const std::function<idelta_status(idelta_delta**)>& pack, const Matrix& unpacked,
                             size_t least = 0) {
    const auto delta = std::make_shared<idelta_delta*>(nullptr);
    return {name,
            [=, &unpacked] {
              idelta_delta_destroy(std::exchange(*delta, nullptr));
              clear({&unpacked});
            },
            [=] { return ended(pack(delta.get())); },
            [=, &context, &unpacked] {
              if (*delta != nullptr) {
                EXPECT_OK(idelta_delta_unpack(context.get(), *delta, unpacked.data(), kWidth));
              }
              return bits_of({&unpacked});
            },
            least};
  }

  static Refusable with_outputs(const std::string& name, std::vector<const Matrix*> outputs,
                                const std::function<idelta_status()>& call) {
    return {name, [=] { clear(outputs); }, [=] { return ended(call()); }, [=] { return bits_of(outputs); }};
  }

  int64_t found_none = 0;  // calls
  Matrix x{kRows, kWidth}, dy{kRows, kWidth}, bias{1, kWidth}, D{kWidth, kWidth}, other_D{kWidth, kWidth};
  Matrix y{kRows, kWidth}, contribution{kRows, kWidth}, row_error{1, kRows}, row_norm{1, kRows}, dz{kRows, kWidth},
      dx{kRows, kWidth}, dD{kWidth, kWidth}, db{1, kWidth}, unpacked{kWidth, kWidth}, numbers{1, 64};
};

TEST_F(OutOfMemoryTest, ContextIsNotMade) {
  for (const int32_t threads : {0, 2}) {
    idelta_context* context = nullptr;
    const idelta_context_options options = context_options(forced_isa(), threads);
    found_none += survived_refusals({"context", [&] { idelta_context_destroy(std::exchange(context, nullptr)); },
                                     [&] { return ended(idelta_context_create(&options, &context)); },
                                     [&] {
                                       const std::string text = idelta_context_describe(context);
                                       return std::vector<uint32_t>(text.begin(), text.end());
                                     }});
    idelta_context_destroy(context);
  }
}

TEST_F(OutOfMemoryTest, DeltaIsNotPacked) {
  bool transposed = false, first = true;
  for (const ContextPtr& context : contexts()) {
    for (const Packing& packing : packings(transposed, std::exchange(first, false))) {
      found_none += survived_refusals(packed_by(
          packing.name, context,
          [&](idelta_delta** delta) {
            return idelta_delta_pack(context.get(), kWidth, D.data(), kWidth, &packing.options, delta);
          },
          unpacked, packing.least));
      if (HasFailure()) return;
    }
    transposed = !transposed;
  }
}

TEST_F(OutOfMemoryTest, FactorsAreNotPacked) {
  const ContextPtr context = make_context();
  const FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(7)));
  const int64_t r = f.V.rows();
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
  ASSERT_OK(idelta_low_rank_measure(context.get(), kWidth, D.data(), kWidth, r, f.U.data(), f.U.ld(), f.V.data(),
                                    f.V.ld(), nullptr, &proof));
  const idelta_delta_options options = low_rank_options(0);
  found_none += survived_refusals(packed_by(
      "factors", context,
      [&](idelta_delta** delta) {
        return idelta_delta_pack_factors(context.get(), kWidth, r, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(), &options,
                                         delta);
      },
      unpacked));
  found_none += survived_refusals(packed_by(
      "measured factors", context,
      [&](idelta_delta** delta) {
        return idelta_delta_pack_measured(context.get(), kWidth, r, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(), nullptr,
                                          &proof, &options, delta);
      },
      unpacked));
}

TEST_F(OutOfMemoryTest, RepackedDeltaIsOldOrNew) {
  bool first = true;
  for (const ContextPtr& context : contexts()) {
    for (const Packing& packing : packings(false, std::exchange(first, false))) {
      DeltaPtr delta;
      // A new pack, as above: matrices are enough.
      const size_t least =
          packing.options.format == IDELTA_FORMAT_LOW_RANK ? kWidth * kWidth * sizeof(float) : packing.least;
      found_none += survived_refusals(
          {"repack of " + packing.name, [&] { delta = pack(context, D, packing.options); },
           [&] { return ended(idelta_delta_repack(context.get(), delta.get(), other_D.data(), kWidth)); },
           [&] {
             EXPECT_OK(idelta_delta_unpack(context.get(), delta.get(), unpacked.data(), kWidth));
             const idelta_delta_info_t info = info_of(context, delta);
             numbers(0, 0) = static_cast<float>(info.certificate);
             numbers(0, 1) = static_cast<float>(info.certificate_backward_data);
             return bits_of({&unpacked, &numbers});
           },
           least});
      if (HasFailure()) return;
    }
  }
}

TEST_F(OutOfMemoryTest, QuestionsAboutADeltaAreNotAnswered) {
  const ContextPtr context = make_context();
  for (const Packing& packing : packings()) {
    const DeltaPtr delta = pack(context, D, packing.options);
    found_none += survived_refusals(with_outputs("unpack of " + packing.name, {&unpacked}, [&] {
      return idelta_delta_unpack(context.get(), delta.get(), unpacked.data(), kWidth);
    }));
    found_none += survived_refusals(with_outputs("info of " + packing.name, {&numbers}, [&] {
      idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
      const idelta_status status = idelta_delta_info(context.get(), delta.get(), &info);
      if (status == IDELTA_OK) numbers(0, 0) = static_cast<float>(info.certificate);
      return status;
    }));
    if (HasFailure()) return;
  }
  const DeltaPtr low_rank = pack(context, D, low_rank_options(7));
  const int64_t r = info_of(context, low_rank).rank;
  const Matrix U(kWidth, r), V(r, kWidth);
  found_none += survived_refusals(with_outputs("factors", {&U, &V}, [&] {
    return idelta_delta_unpack_factors(context.get(), low_rank.get(), U.data(), r, V.data(), kWidth);
  }));
  const FactorPair f = unpacked_factors(context, low_rank);
  found_none += survived_refusals(with_outputs("measure", {&numbers}, [&] {
    idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
    const idelta_status status = idelta_low_rank_measure(context.get(), kWidth, D.data(), kWidth, r, f.U.data(),
                                                         f.U.ld(), f.V.data(), f.V.ld(), nullptr, &proof);
    if (status == IDELTA_OK) numbers(0, 0) = static_cast<float>(proof.dropped);
    return status;
  }));
  const DeltaPtr integers = [&] {
    idelta_delta_options options = delta_options();
    options.format = IDELTA_FORMAT_INT8;
    return pack(context, D, options);
  }();
  std::vector<int8_t> q(kWidth * kWidth);
  found_none += survived_refusals(with_outputs("integers", {&db}, [&] {
    return idelta_delta_unpack_integers(context.get(), integers.get(), q.data(), kWidth, db.data());
  }));
  found_none += survived_refusals(with_outputs("norm", {&numbers}, [&] {
    double bound = 0;
    const idelta_status status = idelta_spectral_norm_bound(context.get(), kWidth, D.data(), kWidth, 1, &bound);
    if (status == IDELTA_OK) numbers(0, 0) = static_cast<float>(bound);
    return status;
  }));
}

TEST_F(OutOfMemoryTest, OutputsOfPassesAreNotTouched) {
  for (const ContextPtr& context : contexts()) {
    for (const Packing& packing : packings()) {
      const DeltaPtr delta = pack(context, D, packing.options);
      idelta_forward_args forward = forward_args(x, y, {IDELTA_ACTIVATION_TANH, 0});
      forward.bias = bias.data();
      forward.contribution = contribution.data();
      forward.ldc = kWidth;
      forward.row_error = row_error.data();
      forward.row_norm = row_norm.data();
      found_none +=
          survived_refusals(with_outputs("forward of " + packing.name, {&y, &contribution, &row_error, &row_norm},
                                         [&] { return idelta_forward(context.get(), delta.get(), &forward); }));
      const idelta_backward_data_args backward = [&] {
        idelta_backward_data_args args = backward_data_args(dy, x, dx, {IDELTA_ACTIVATION_TANH, 0});
        args.dz = dz.data();
        args.lddz = kWidth;
        return args;
      }();
      found_none += survived_refusals(with_outputs("backward_data of " + packing.name, {&dz, &dx}, [&] {
        return idelta_backward_data(context.get(), delta.get(), &backward);
      }));
      if (HasFailure()) return;
    }
    for (const idelta_format format : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16X3, IDELTA_FORMAT_BF16}) {
      idelta_backward_weights_args weights = backward_weights_args(x, dy, dD, db.data());
      weights.format = format;
      found_none +=
          survived_refusals(with_outputs(std::string("backward_weights of ") + idelta_format_name(format), {&dD, &db},
                                         [&] { return idelta_backward_weights(context.get(), &weights); }));
      if (HasFailure()) return;
    }
  }
}

// Nothing of a step is taken: master, state, bias and delta are as they were.
TEST_F(OutOfMemoryTest, StepIsTakenWholeOrNotAtAll) {
  const Matrix master(kWidth, kWidth), stepped_bias(1, kWidth);
  const std::array<Matrix, 2> state{Matrix(kWidth, kWidth), Matrix(kWidth, kWidth)};
  const std::array<Matrix, 2> bias_state{Matrix(1, kWidth), Matrix(1, kWidth)};
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = IDELTA_OPTIMIZER_ADAMW;
  optimizer.learning_rate = 0.01f;
  for (const ContextPtr& context : contexts()) {
    for (const Packing& packing : packings()) {
      if (!packing.stepped) continue;
      DeltaPtr delta;
      idelta_update_args args = update_args(x, dy, optimizer, master);
      args.bias = stepped_bias.data();
      for (size_t i = 0; i < 2; ++i) {
        args.state[i] = state[i].data();
        args.bias_state[i] = bias_state[i].data();
      }
      found_none += survived_refusals(
          {"update of " + packing.name,
           [&] {
             delta = pack(context, D, packing.options);
             for (int64_t i = 0; i < kWidth * kWidth; ++i) master.data()[i] = D.data()[i];
             for (int64_t i = 0; i < kWidth; ++i) stepped_bias.data()[i] = bias.data()[i];
             for (const Matrix* zeros : {&state[0], &state[1], &bias_state[0], &bias_state[1]}) {
               fill(*zeros, [] { return 0.0f; });
             }
           },
           [&] { return ended(idelta_update(context.get(), delta.get(), &args)); },
           [&] {
             EXPECT_OK(idelta_delta_unpack(context.get(), delta.get(), unpacked.data(), kWidth));
             return bits_of({&unpacked, &master, &stepped_bias, &state[0], &state[1], &bias_state[0], &bias_state[1]});
           }});
      if (HasFailure()) return;
    }
  }
}

TEST_F(OutOfMemoryTest, StatelessCallsTouchNothing) {
  const ContextPtr context = make_context();
  for (const float beta : {0.0f, 0.5f}) {
    for (const bool transposed : {false, true}) {
      found_none += survived_refusals(with_outputs("sidmm", {&y}, [&] {
        return idelta_sidmm(context.get(), transposed ? 1 : 0, kRows, kWidth, 1, 1, x.data(), kWidth, D.data(), kWidth,
                            beta, y.data(), kWidth);
      }));
    }
  }
  found_none += survived_refusals(with_outputs("sidmv of a strided x", {&numbers}, [&] {
    return idelta_sidmv(context.get(), 0, kWidth / 2, 1, 1, x.data(), 2, D.data(), kWidth, 0, numbers.data(), 1);
  }));
}

// As where a process may have no more of them: those that there are do the work.
TEST_F(OutOfMemoryTest, CallsDoWithoutThreadsThatAreRefused) {
  const int64_t m = 400, n = 300;
  Random random(6);
  const Matrix many(m, n), square(n, n), alone(m, n), few(m, n);
  fill_uniform(many, random), fill_delta(square, random);
  const auto forward = [&](int32_t threads, const Matrix& to) {
    const ContextPtr context = make_context(context_options(IDELTA_ISA_AUTO, threads));
    const DeltaPtr delta = pack(context, square);
    const idelta_forward_args args = forward_args(many, to);
    for (int call = 0; call < 20; ++call) ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
  };
  forward(1, alone);
  refuses_threads = true;
  forward(16, few);
  refuses_threads = false;
  EXPECT_GT(threads_refused, 0) << "no thread was wanted: nothing was tested";
  EXPECT_EQ(alone.element_bits(), few.element_bits());
  found_none = threads_refused;
}

}  // namespace
}  // namespace idelta_test
