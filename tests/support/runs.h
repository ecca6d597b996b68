// Every pass on one fixed problem, as bits: what the invariance tests compare between contexts.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/mxcsr.h"

namespace idelta_test {

using Bits = std::map<std::string, std::vector<uint32_t>>;

struct Problem {
  int64_t m, n;
  idelta_activation activation = {IDELTA_ACTIVATION_TANH, 0.0f};
  float identity_scale = 1.0f;
  float x_magnitude = 1.0f;
  uint32_t mxcsr = kDefaultMxcsr;  // of the calling thread
};

// What run_every_pass() runs, pass by pass.
class EveryPass {
 public:
  EveryPass(const ContextPtr& context, const Problem& p) : context_(context), p_(p) {
    Random random(static_cast<uint64_t>(m * 1000 + n));
    fill_uniform(x, random, p.x_magnitude), fill_delta(D, random), fill_uniform(bias, random), fill_uniform(dy, random);
    for (const Matrix* zeros : {&state[0], &state[1], &bias_state[0], &bias_state[1]}) {
      fill(*zeros, [] { return 0.0f; });
    }
    optimizer.kind = IDELTA_OPTIMIZER_ADAMW;
    optimizer.learning_rate = 0.01f;
    optimizer.weight_decay = 0.1f;
  }

  Bits run() {
    const DeltaPtr delta = pack(context_, D, delta_options(p_.identity_scale));
    forward_and_back(delta);
    keep_outputs();
    if (stores_int8()) return all_;
    const DeltaPtr delta_of_panels = pack(context_, D, delta_options(p_.identity_scale));
    const Matrix D_panels = in_panels(D), state_panels[2] = {in_panels(state[0]), in_panels(state[1])};
    gradients();
    update_rows(delta);
    update_panels(delta_of_panels, D_panels, state_panels);
    forward_and_back(delta_of_panels);
    keep("forward of stepped D", y), keep("backward_data of stepped D", dx);
    return all_;
  }

 private:
  void keep(const char* name, const Matrix& output) { all_[name] = output.element_bits(); }

  void forward_and_back(const DeltaPtr& delta) const {
    idelta_forward_args forward = forward_args(x, y, p_.activation);
    forward.bias = bias.data();
    forward.contribution = contribution.data();
    forward.ldc = n;
    EXPECT_OK(idelta_forward(context_.get(), delta.get(), &forward));
    idelta_backward_data_args backward_data = backward_data_args(dy, y, dx, p_.activation);
    backward_data.dz = dz.data();
    backward_data.lddz = n;
    EXPECT_OK(idelta_backward_data(context_.get(), delta.get(), &backward_data));
  }

  void keep_outputs() {
    keep("forward y", y), keep("forward contribution", contribution);
    keep("backward_data dz", dz), keep("backward_data dx", dx);
  }

  void gradients() {
    const idelta_backward_weights_args backward_weights = backward_weights_args(x, dz, dD, db.data());
    EXPECT_OK(idelta_backward_weights(context_.get(), &backward_weights));
    keep("backward_weights dD", dD), keep("backward_weights db", db);
  }

  void three_steps(const DeltaPtr& delta, idelta_update_args& update) {
    for (optimizer.step = 1; optimizer.step <= 3; ++optimizer.step) {
      EXPECT_OK(idelta_update(context_.get(), delta.get(), &update));
    }
  }
  Matrix unpacked(const DeltaPtr& delta) const {
    Matrix rows(n, n);
    EXPECT_OK(idelta_delta_unpack(context_.get(), delta.get(), rows.data(), n));
    return rows;
  }

  void update_rows(const DeltaPtr& delta) {
    idelta_update_args update = update_args(x, dz, optimizer, D);
    update.bias = bias.data();
    for (int i = 0; i < 2; ++i) {
      update.state[i] = state[i].data();
      update.bias_state[i] = bias_state[i].data();
    }
    three_steps(delta, update);
    keep("update D", D), keep("update bias", bias), keep("update bias_state[1]", bias_state[1]);
    keep("update state[0]", state[0]), keep("update state[1]", state[1]), keep("update delta", unpacked(delta));
  }

  void update_panels(const DeltaPtr& delta, const Matrix& D_panels, const Matrix (&state_panels)[2]) {
    idelta_update_args update = update_args(x, dz, optimizer, D_panels);
    for (int i = 0; i < 2; ++i) update.state[i] = state_panels[i].data();
    update.order = IDELTA_ORDER_PANELS;
    three_steps(delta, update);
    keep("update panels D", in_rows(D_panels)), keep("update panels delta", unpacked(delta));
    keep("update panels state[0]", in_rows(state_panels[0])), keep("update panels state[1]", in_rows(state_panels[1]));
  }

  Matrix in_panels(const Matrix& rows) const {
    int64_t floats = 0;
    EXPECT_OK(idelta_panels_floats(context_.get(), n, &floats));
    Matrix panels(1, floats);
    EXPECT_OK(idelta_panels_pack(context_.get(), n, rows.data(), n, panels.data()));
    return panels;
  }
  Matrix in_rows(const Matrix& panels) const {
    Matrix rows(n, n);
    EXPECT_OK(idelta_panels_unpack(context_.get(), n, panels.data(), rows.data(), n));
    return rows;
  }

  const ContextPtr& context_;
  const Problem& p_;
  const int64_t m = p_.m, n = p_.n;
  const Matrix x{m, n}, D{n, n}, bias{1, n}, y{m, n}, contribution{m, n}, dy{m, n}, dz{m, n}, dx{m, n}, dD{n, n},
      db{1, n}, state[2] = {Matrix(n, n), Matrix(n, n)}, bias_state[2] = {Matrix(1, n), Matrix(1, n)};
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  Bits all_;
};

// forward, backward_data and, if D can be stepped, backward_weights and three AdamW updates, in rows and in panels;
// keys name the pass and its output.
inline Bits run_every_pass(const ContextPtr& context, const Problem& p) {
  EveryPass every(context, p);
  const ScopedMxcsr mode(p.mxcsr);
  return every.run();
}

// Names every output that differs, and where.
// NaN has no promised bits: all become one.
inline Bits without_nan_payloads(Bits bits) {
  for (auto& [name, numbers] : bits) {
    for (uint32_t& number : numbers) {
      if (std::isnan(std::bit_cast<float>(number))) number = 0x7fc00000u;
    }
  }
  return bits;
}

inline void expect_same_bits(const Bits& expected, const Bits& actual) {
  for (const auto& [name, bits_of_one] : expected) {
    const std::vector<uint32_t>& other = actual.at(name);
    ASSERT_EQ(bits_of_one.size(), other.size()) << name;
    for (size_t i = 0; i < other.size(); ++i) {
      if (bits_of_one[i] == other[i]) continue;
      ADD_FAILURE() << name << ": element " << i << " is " << std::bit_cast<float>(other[i]) << ", not "
                    << std::bit_cast<float>(bits_of_one[i]);
      break;
    }
  }
}

}  // namespace idelta_test
