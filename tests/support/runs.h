// Every pass on one fixed problem, as bits: what the invariance tests compare between contexts.
#pragma once

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

// forward, backward_data, backward_weights and three AdamW updates, in rows and in panels; keys name the pass and its
// output.
inline Bits run_every_pass(const ContextPtr& context, const Problem& p) {
  const int64_t m = p.m, n = p.n;
  Random random(static_cast<uint64_t>(m * 1000 + n));
  const Matrix x(m, n), D(n, n), bias(1, n), y(m, n), contribution(m, n), dy(m, n), dz(m, n), dx(m, n), dD(n, n),
      db(1, n), state[2] = {Matrix(n, n), Matrix(n, n)}, bias_state[2] = {Matrix(1, n), Matrix(1, n)}, unpacked(n, n);
  fill_uniform(x, random, p.x_magnitude), fill_delta(D, random), fill_uniform(bias, random), fill_uniform(dy, random);
  for (int i = 0; i < 2; ++i) {
    fill(state[i], [] { return 0.0f; });
    fill(bias_state[i], [] { return 0.0f; });
  }
  const ScopedMxcsr mode(p.mxcsr);
  Bits all;
  const DeltaPtr delta = pack(context, D, delta_options(p.identity_scale));
  const DeltaPtr delta_of_panels = pack(context, D, delta_options(p.identity_scale));
  int64_t floats = 0;
  EXPECT_OK(idelta_panels_floats(context.get(), n, &floats));
  const Matrix D_panels(1, floats), state_panels[2] = {Matrix(1, floats), Matrix(1, floats)};
  EXPECT_OK(idelta_panels_pack(context.get(), n, D.data(), n, D_panels.data()));
  for (const Matrix& zeros : state_panels) fill(zeros, [] { return 0.0f; });
  idelta_forward_args forward = forward_args(x, y, p.activation);
  forward.bias = bias.data();
  forward.contribution = contribution.data();
  forward.ldc = n;
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
  idelta_backward_data_args backward_data = backward_data_args(dy, y, dx, p.activation);
  backward_data.dz = dz.data();
  backward_data.lddz = n;
  EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward_data));
  const idelta_backward_weights_args backward_weights = backward_weights_args(x, dz, dD, db.data());
  EXPECT_OK(idelta_backward_weights(context.get(), &backward_weights));

  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = IDELTA_OPTIMIZER_ADAMW;
  optimizer.learning_rate = 0.01f;
  optimizer.weight_decay = 0.1f;
  idelta_update_args update = update_args(x, dz, optimizer, D);
  update.bias = bias.data();
  for (int i = 0; i < 2; ++i) {
    update.state[i] = state[i].data();
    update.bias_state[i] = bias_state[i].data();
  }
  const auto three_steps_of = [&](const DeltaPtr& stepped) {
    for (optimizer.step = 1; optimizer.step <= 3; ++optimizer.step) {
      EXPECT_OK(idelta_update(context.get(), stepped.get(), &update));
    }
  };
  three_steps_of(delta);
  EXPECT_OK(idelta_delta_unpack(context.get(), delta.get(), unpacked.data(), n));

  update.bias = nullptr;
  update.D = D_panels.data();
  for (int i = 0; i < 2; ++i) update.state[i] = state_panels[i].data();
  update.order = IDELTA_ORDER_PANELS;
  three_steps_of(delta_of_panels);
  const auto in_rows = [&](const Matrix& panels) {
    const Matrix rows(n, n);
    EXPECT_OK(idelta_panels_unpack(context.get(), n, panels.data(), rows.data(), n));
    return rows.element_bits();
  };

  all["forward y"] = y.element_bits();
  all["forward contribution"] = contribution.element_bits();
  all["backward_data dz"] = dz.element_bits();
  all["backward_data dx"] = dx.element_bits();
  all["backward_weights dD"] = dD.element_bits();
  all["backward_weights db"] = db.element_bits();
  all["update D"] = D.element_bits();
  all["update bias"] = bias.element_bits();
  all["update state[0]"] = state[0].element_bits();
  all["update state[1]"] = state[1].element_bits();
  all["update bias_state[1]"] = bias_state[1].element_bits();
  all["update delta"] = unpacked.element_bits();
  all["update panels D"] = in_rows(D_panels);
  all["update panels state[0]"] = in_rows(state_panels[0]);
  all["update panels state[1]"] = in_rows(state_panels[1]);
  EXPECT_OK(idelta_delta_unpack(context.get(), delta_of_panels.get(), unpacked.data(), n));
  all["update panels delta"] = unpacked.element_bits();
  EXPECT_OK(idelta_forward(context.get(), delta_of_panels.get(), &forward));
  EXPECT_OK(idelta_backward_data(context.get(), delta_of_panels.get(), &backward_data));
  all["forward of stepped D"] = y.element_bits();
  all["backward_data of stepped D"] = dx.element_bits();
  return all;
}

// Names every output that differs, and where.
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
