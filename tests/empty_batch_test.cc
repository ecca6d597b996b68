// m = 0: every call is OK, whatever the addresses and strides of what has no rows, and does no more than an empty sum
// demands. A shard of a data set, or the last batch of one, may be empty.
#include <vector>

#include "support/fixture.h"

namespace idelta_test {
namespace {

constexpr int64_t n = 11;
// Some that no matrix with rows could have, and some that would lie askew over each other.
constexpr int64_t kStrides[] = {0, -3, 8, n, 16};

class EmptyBatch : public ContextTest {
 protected:
  EmptyBatch() {
    Random random(1);
    fill_delta(D, random);
    delta = pack(context, D);
  }

  // Null, or memory that must not be touched.
  std::vector<float*> addresses() const { return {nullptr, memory.data()}; }
  ~EmptyBatch() override { EXPECT_TRUE(memory.untouched()); }

  Matrix D{n, n}, memory{n, n};
  DeltaPtr delta;
};

TEST_F(EmptyBatch, Forward) {
  for (const int64_t ldx : kStrides) {
    for (const int64_t ldy : kStrides) {
      for (float* const x : addresses()) {
        for (float* const y : addresses()) {
          idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
          args.x = x, args.ldx = ldx;
          args.y = y, args.ldy = ldy;
          args.contribution = y, args.ldc = ldx;
          EXPECT_OK(idelta_forward(context.get(), delta.get(), &args)) << ldx << ' ' << ldy;
        }
      }
    }
  }
}

TEST_F(EmptyBatch, BackwardData) {
  for (const int64_t lddy : kStrides) {
    for (const int64_t lddx : kStrides) {
      for (float* const dy : addresses()) {
        for (float* const dx : addresses()) {
          idelta_backward_data_args args = IDELTA_BACKWARD_DATA_ARGS_INIT;
          args.activation.kind = IDELTA_ACTIVATION_TANH;
          args.dy = dy, args.lddy = lddy;
          args.dx = args.dz = dx, args.lddx = args.lddz = lddx;
          EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &args)) << lddy << ' ' << lddx;
        }
      }
    }
  }
}

TEST_F(EmptyBatch, BackwardWeightsGivesBetaTimesWhatWasThere) {
  for (const int64_t ld : kStrides) {
    for (const float beta : {0.0f, 1.0f, 0.5f}) {
      const Matrix dD(n, n), db(1, n);
      if (beta != 0) fill(dD, [] { return 3.0f; }), fill(db, [] { return 5.0f; });  // else NaN is there
      idelta_backward_weights_args args = IDELTA_BACKWARD_WEIGHTS_ARGS_INIT;
      args.n = n;
      args.ldx = args.lddz = ld;
      args.beta = beta;
      EXPECT_OK(idelta_backward_weights(context.get(), &args)) << "nothing is wanted of nothing";
      args.dD = dD.data(), args.lddD = n;
      args.db = db.data();
      EXPECT_OK(idelta_backward_weights(context.get(), &args)) << ld;
      EXPECT_EQ(beta * 3, dD(n - 1, n - 1));
      EXPECT_EQ(beta * 5, db(0, n - 1));
    }
  }
}

TEST_F(EmptyBatch, Update) {
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = IDELTA_OPTIMIZER_ADAMW;
  optimizer.learning_rate = 1;
  optimizer.weight_decay = 1;
  const Matrix before(n, n), after(n, n);
  ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), before.data(), n));
  for (const int64_t ld : kStrides) {
    for (float* const address : addresses()) {
      idelta_update_args args = IDELTA_UPDATE_ARGS_INIT;
      args.optimizer = &optimizer;
      args.x = args.dz = args.D = args.bias = address;
      args.ldx = args.lddz = args.ldd = ld;
      EXPECT_OK(idelta_update(context.get(), delta.get(), &args)) << ld;
    }
  }
  ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), after.data(), n));
  EXPECT_EQ(before.element_bits(), after.element_bits());
}

TEST_F(EmptyBatch, Sidmm) {
  for (const int64_t ld : kStrides) {
    for (float* const address : addresses()) {
      EXPECT_OK(idelta_sidmm(context.get(), 0, 0, n, 1, 1, address, ld, address, ld, 1, address, ld)) << ld;
    }
  }
}

TEST_F(EmptyBatch, WorkspaceQueries) {
  const idelta_context* c = context.get();
  size_t bytes = 1;
  EXPECT_OK(idelta_forward_workspace_bytes(c, delta.get(), 0, &bytes));
  EXPECT_OK(idelta_backward_data_workspace_bytes(c, delta.get(), 0, &bytes));
  EXPECT_OK(idelta_backward_weights_workspace_bytes(c, 0, n, &bytes));
  EXPECT_OK(idelta_update_workspace_bytes(c, delta.get(), 0, &bytes));
}

// What is no matrix is checked all the same: the next batch will not be empty.
TEST_F(EmptyBatch, SettingsAreStillChecked) {
  idelta_forward_args forward = IDELTA_FORWARD_ARGS_INIT;
  forward.activation.kind = static_cast<idelta_activation_kind>(77);
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_forward(context.get(), delta.get(), &forward));
  idelta_update_args update = IDELTA_UPDATE_ARGS_INIT;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_update(context.get(), delta.get(), &update));  // no optimiser
}

}  // namespace
}  // namespace idelta_test
