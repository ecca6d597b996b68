// What every suite starts from: a context of the ISA that IDELTA_TEST_ISA forces, owners for the handles, and the one
// way to ask whether a call went well.
#pragma once

#include <gtest/gtest.h>
#include <idelta/idelta.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "idelta/idelta.hpp"
#include "support/guard_buffer.h"
#include "support/random.h"

#define ASSERT_OK(call) ASSERT_EQ(IDELTA_OK, call) << idelta_last_error()
#define EXPECT_OK(call) EXPECT_EQ(IDELTA_OK, call) << idelta_last_error()

namespace idelta_test {

// Set by main() before any test runs.
idelta_isa forced_isa();

// What IDELTA_TEST_FORMAT names: f32, bf16 (widened), bf16_rounded, bf16x3 or int8; likewise set by main().
struct ForcedFormat {
  const char* name;
  idelta_format format;
  idelta_bf16_product product;
  bool rounds_x;
};
const ForcedFormat& forced_format();
inline bool stores_f32() { return forced_format().format == IDELTA_FORMAT_F32; }
// Integers: sums of them are exact, and D cannot be stepped.
inline bool stores_int8() { return forced_format().format == IDELTA_FORMAT_INT8; }

// Whether AMX's tiles are emulated in this program; main.cc says no, support/emulated_amx.cc otherwise.
bool emulates_amx();

// The scalar reference and emulated tiles call fma() element by element, and sanitizers watch every access: suites that
// sweep sizes give them fewer.
bool reduced();

struct Destroy {
  void operator()(idelta_context* context) const { idelta_context_destroy(context); }
  void operator()(idelta_delta* delta) const { idelta_delta_destroy(delta); }
};
using ContextPtr = std::unique_ptr<idelta_context, Destroy>;
using DeltaPtr = std::unique_ptr<idelta_delta, Destroy>;

inline idelta_context_options context_options(idelta_isa isa = forced_isa(), int32_t threads = 0) {
  idelta_context_options options = IDELTA_CONTEXT_OPTIONS_INIT;
  options.isa = isa;
  options.threads = threads;
  options.bf16_product = forced_format().product;
  return options;
}

inline ContextPtr make_context(const idelta_context_options& options = context_options()) {
  idelta_context* context = nullptr;
  EXPECT_OK(idelta_context_create(&options, &context));
  return ContextPtr(context);
}

inline idelta_delta_options delta_options(float identity_scale = 1.0f, idelta_passes passes = IDELTA_PASS_BOTH,
                                          bool transposed = false) {
  idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
  options.format = forced_format().format;
  options.identity_scale = identity_scale;
  options.passes = passes;
  options.transposed = transposed ? 1 : 0;
  return options;
}

inline DeltaPtr pack(const ContextPtr& context, const Matrix& D,
                     const idelta_delta_options& options = delta_options()) {
  idelta_delta* delta = nullptr;
  EXPECT_OK(idelta_delta_pack(context.get(), D.cols(), D.data(), D.ld(), &options, &delta));
  return DeltaPtr(delta);
}

inline idelta_delta_info_t info_of(const ContextPtr& context, const DeltaPtr& delta) {
  idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
  EXPECT_OK(idelta_delta_info(context.get(), delta.get(), &info));
  return info;
}

// Arguments for the common case; a test changes what it is about.
inline idelta_forward_args forward_args(const Matrix& x, const Matrix& y, idelta_activation activation = {}) {
  idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
  args.m = x.rows();
  args.x = x.data();
  args.ldx = x.ld();
  args.y = y.data();
  args.ldy = y.ld();
  args.activation = activation;
  return args;
}

inline idelta_backward_data_args backward_data_args(const Matrix& dy, const Matrix& y, const Matrix& dx,
                                                    idelta_activation activation = {}) {
  idelta_backward_data_args args = IDELTA_BACKWARD_DATA_ARGS_INIT;
  args.m = dy.rows();
  args.dy = dy.data();
  args.lddy = dy.ld();
  args.y = y.data();
  args.ldy = y.ld();
  args.dx = dx.data();
  args.lddx = dx.ld();
  args.activation = activation;
  return args;
}

inline idelta_backward_weights_args backward_weights_args(const Matrix& x, const Matrix& dz, const Matrix& dD,
                                                          float* db) {
  idelta_backward_weights_args args = IDELTA_BACKWARD_WEIGHTS_ARGS_INIT;
  args.m = x.rows();
  args.n = x.cols();
  args.x = x.data();
  args.ldx = x.ld();
  args.dz = dz.data();
  args.lddz = dz.ld();
  args.dD = dD.data();
  args.lddD = dD.ld();
  args.db = db;
  args.format = forced_format().format;
  return args;
}

inline idelta_update_args update_args(const Matrix& x, const Matrix& dz, const idelta_optimizer& optimizer,
                                      const Matrix& D) {
  idelta_update_args args = IDELTA_UPDATE_ARGS_INIT;
  args.m = x.rows();
  args.x = x.data();
  args.ldx = x.ld();
  args.dz = dz.data();
  args.lddz = dz.ld();
  args.optimizer = &optimizer;
  args.D = D.data();
  args.ldd = D.ld();
  args.gradient_format = forced_format().format;
  return args;
}

constexpr idelta_activation kIdentity = {IDELTA_ACTIVATION_IDENTITY, 0.0f};
// All that the library names.
inline std::vector<idelta_activation> activations() {
  std::vector<idelta_activation> all;
  for (const idelta_activation_kind kind : idelta::kinds_of(idelta_activation_names(), idelta_activation_by_name)) {
    all.push_back({kind, kind == IDELTA_ACTIVATION_LEAKY_RELU ? 0.125f : 0.0f});
  }
  return all;
}
inline const std::vector<idelta_activation> kActivations = activations();
constexpr float kIdentityScales[] = {1.0f, 0.5f, 0.0f, -2.0f};

// Sets an environment variable, puts the old one back.
class ScopedEnvironment {
 public:
  ScopedEnvironment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = std::make_unique<std::string>(old);
    setenv(name, value, 1);
  }
  ~ScopedEnvironment() {
    if (old_ != nullptr) {
      setenv(name_, old_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;

 private:
  const char* name_;
  std::unique_ptr<std::string> old_;
};

// Caches so small that a few dozen columns cross every block edge.
constexpr const char* kToyCaches = "2048,16384,65536";

class ContextTest : public ::testing::Test {
 protected:
  ContextPtr context = make_context();
};

}  // namespace idelta_test
