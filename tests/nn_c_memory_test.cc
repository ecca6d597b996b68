// Memory that runs out: every allocation of a call of nn.h, one after another, fails, and all that follow it. The call
// says OUT_OF_MEMORY, nothing leaks, and what it was given is as it was and can be used.
#include <cstdlib>
#include <functional>
#include <new>
#include <utility>

#include "nn_c_support.h"

namespace {

// Allocations that are left until memory runs out; below 0: it does not. How many there are of those that were made.
int64_t left_over = -1;
int64_t alive = 0;

}  // namespace

// The libraries' too: a program's own come first. std::stable_sort asks without throwing.
void* operator new(size_t size, const std::nothrow_t& /*nothrow*/) noexcept {
  if (left_over == 0) return nullptr;
  if (left_over > 0) --left_over;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory) ++alive;
  return memory;
}
void* operator new(size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  if (memory) --alive;
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, const std::nothrow_t& /*nothrow*/) noexcept { operator delete(memory); }

namespace idelta_test {
namespace {

// One thread, so that nobody else allocates meanwhile.
class Memory : public testing::Test {
 protected:
  static constexpr int64_t kInputs = 6, kClasses = 2, kRows = 16, kLayers = 2;

  Memory() {
    Random random(3);
    for (float& value : images) value = random.uniform(0.0f, 1.0f);
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = images[i * kInputs] > images[i * kInputs + 1];
    args.count = kRows;
    args.width = args.ld = kInputs;
    args.images = images.data();
    args.labels = labels.data();
    data = made<idelta_dataset>([&](auto** p) { return idelta_dataset_create(&args, p); });
    options.layers = kLayers;
    EXPECT_OK(idelta_network_options_for(data.get(), &options));
    train.epochs = 2;
    train.batch = 4;
    network = fresh_network();
    EXPECT_OK(idelta_network_train(network.get(), data.get(), &train, nullptr, nullptr, nullptr));
    EXPECT_OK(idelta_network_save(network.get(), path.c_str(), nullptr));
    predict.rows = decompose.rows = kRows;
    predict.images = decompose.images = images.data();
    predict.ld = decompose.ld = kInputs;
    predict.labels = found.data();
    decompose.steps = steps.data();
    decompose.final_likelihoods = likelihoods.data();
    idelta_dataset_head(data.get(), 0, nullptr);  // whose sentence stays
  }

  Owned<idelta_network> fresh_network() {
    return made<idelta_network>([&](auto** p) { return idelta_network_create(context.get(), &options, p); });
  }
  std::string hash() const {
    char digits[17];
    EXPECT_OK(idelta_network_hash(network.get(), digits));
    return digits;
  }

  // Within a call that is starved.
  template <class Act>
  static void with_memory(const Act& act) {
    const int64_t left = std::exchange(left_over, -1);
    act();
    left_over = left;
  }

  // call() must succeed with enough memory, and fail with less; it cleans up what it made.
  void starve(
      const char* what, const std::function<idelta_status()>& call, const std::function<void()>& prepare = [] {}) {
    const std::string before = hash();
    prepare();
    expect_enough(what, call());  // what stays, such as a thread's own memory, is made now
    int64_t failures = 0;
    for (;; ++failures) {
      prepare();
      const int64_t alive_before = alive;
      left_over = failures;
      const idelta_status status = call();
      left_over = -1;
      if (status == IDELTA_OK) break;
      ASSERT_EQ(IDELTA_OUT_OF_MEMORY, status) << what << ", after " << failures << ": " << idelta_last_error();
      ASSERT_EQ(alive_before, alive) << what << ", after " << failures;
      ASSERT_LT(failures, 100'000) << what;
    }
    EXPECT_GT(failures, 0) << what << " allocates nothing";
    EXPECT_EQ(before, hash()) << what;
  }
  static void expect_enough(const char* what, idelta_status status) {
    ASSERT_EQ(IDELTA_OK, status) << what << ": " << idelta_last_error();
  }

  // Of calls that make a handle.
  template <class Handle, class Call>
  std::function<idelta_status()> making(const Call& call) {
    return [call] {
      Handle* handle = nullptr;
      const idelta_status status = call(&handle);
      EXPECT_EQ(status == IDELTA_OK, handle != nullptr);
      DestroyHandle()(handle);
      return status;
    };
  }

  std::vector<float> images = std::vector<float>(kRows * kInputs);
  std::vector<int32_t> labels = std::vector<int32_t>(kRows), found = labels;
  std::vector<float> steps = std::vector<float>(kLayers * kRows * (kInputs + kClasses)),
                     likelihoods = std::vector<float>(kRows * kClasses);
  Owned<idelta_context> context = made<idelta_context>([](auto** p) {
    idelta_context_options one_thread = IDELTA_CONTEXT_OPTIONS_INIT;
    one_thread.threads = 1;
    return idelta_context_create(&one_thread, p);
  });
  idelta_dataset_args args = IDELTA_DATASET_ARGS_INIT;
  idelta_network_options options = IDELTA_NETWORK_OPTIONS_INIT;
  idelta_train_options train = IDELTA_TRAIN_OPTIONS_INIT;
  idelta_predict_args predict = IDELTA_PREDICT_ARGS_INIT;
  idelta_decompose_args decompose = IDELTA_DECOMPOSE_ARGS_INIT;
  Owned<idelta_dataset> data;
  Owned<idelta_network> network;
  TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
};

TEST_F(Memory, RunsOutWhileHandlesAreMade) {
  starve("dataset", making<idelta_dataset>([&](auto** p) { return idelta_dataset_create(&args, p); }));
  starve("head", making<idelta_dataset>([&](auto** p) { return idelta_dataset_head(data.get(), 3, p); }));
  starve("network",
         making<idelta_network>([&](auto** p) { return idelta_network_create(context.get(), &options, p); }));
  starve("load", making<idelta_network>([&](auto** p) { return idelta_network_load(context.get(), path.c_str(), p); }));
  starve("to_bytes",
         making<idelta_bytes>([&](auto** p) { return idelta_network_to_bytes(network.get(), nullptr, p); }));
  const auto bytes = made<idelta_bytes>([&](auto** p) { return idelta_network_to_bytes(network.get(), nullptr, p); });
  starve("from_bytes", making<idelta_network>([&](auto** p) {
           return idelta_network_from_bytes(context.get(), idelta_bytes_data(bytes.get()),
                                            idelta_bytes_size(bytes.get()), p);
         }));
}

TEST_F(Memory, RunsOutOfAFile) {
  const Bytes whole = read_bytes(path);
  starve("save", [&] {
    const idelta_status status = idelta_network_save(network.get(), path.c_str(), nullptr);
    with_memory([&] { EXPECT_EQ(whole, read_bytes(path)); });
    return status;
  });
  EXPECT_EQ(1u, folder.entries());
}

TEST_F(Memory, RunsOutWhileANetworkIsUsed) {
  double accuracy = 0;
  idelta_evaluation evaluation = IDELTA_EVALUATION_INIT;
  evaluation.input_accuracy = &accuracy;
  const idelta_weight_geometry geometry = IDELTA_WEIGHT_GEOMETRY_INIT;
  starve("evaluate", [&] { return idelta_network_evaluate(network.get(), data.get(), &evaluation); });
  starve("accuracy", [&] { return idelta_network_accuracy(network.get(), data.get(), 0, &accuracy); });
  starve("decompose", [&] { return idelta_network_decompose(network.get(), &decompose); });
  starve("predict", [&] { return idelta_network_predict(network.get(), &predict); });
  starve("geometry", [&] { return idelta_network_weight_geometry(network.get(), &geometry); });
  starve("layer", [&] { return idelta_network_layer(network.get(), 0, steps.data(), kInputs + kClasses, nullptr); });
  idelta_compress_options compress = IDELTA_COMPRESS_OPTIONS_INIT;
  compress.rank = 2;
  starve("compress", [&] { return idelta_network_compress(network.get(), &compress); });
  predict.guarantee = 1;
  starve("predict with guarantee", [&] { return idelta_network_predict(network.get(), &predict); });
  starve(
      "set_compute", [&] { return idelta_network_set_compute(network.get(), IDELTA_FORMAT_BF16, 0); },
      [&] { EXPECT_OK(idelta_network_set_compute(network.get(), IDELTA_FORMAT_F32, 0)); });
}

// A run that memory stopped goes on to the bits of one that had enough.
TEST_F(Memory, RunsOutWhileANetworkIsTrained) {
  Owned<idelta_network> learner;
  Owned<idelta_trainer> trainer;
  const auto renew = [&] {
    trainer.reset();
    learner = fresh_network();
    trainer =
        made<idelta_trainer>([&](auto** p) { return idelta_trainer_create(learner.get(), data.get(), &train, p); });
  };
  renew();
  starve("trainer",
         making<idelta_trainer>([&](auto** p) { return idelta_trainer_create(learner.get(), data.get(), &train, p); }));
  const auto observer = [](void*, const idelta_progress*) -> int32_t { return 1; };
  // A run leaves in the network how it was trained, so that both are made anew.
  const auto starve_learner = [&](const char* what, const std::function<idelta_status()>& call) {
    starve(what, [&] {
      with_memory(renew);
      const idelta_status status = call();
      with_memory([&] { trainer.reset(), learner.reset(); });
      return status;
    });
  };
  trainer.reset(), learner.reset();
  starve_learner("run", [&] { return idelta_trainer_run(trainer.get(), observer, nullptr, nullptr); });
  starve_learner("step", [&] {
    return idelta_trainer_step(trainer.get(), 3, images.data(), kInputs, labels.data(), 0.01f, nullptr);
  });

  const std::string checkpoint = folder / "run.checkpoint", wanted = hash();
  renew();
  EXPECT_OK(idelta_trainer_run(trainer.get(), observer, nullptr, nullptr));
  starve("checkpoint", [&] { return idelta_trainer_save(trainer.get(), checkpoint.c_str()); });
  const auto other = fresh_network();
  starve("resume", making<idelta_trainer>([&](auto** p) {
           return idelta_trainer_resume(other.get(), data.get(), checkpoint.c_str(), p);
         }));
  for (int64_t k = 0;; ++k) {
    left_over = k;
    const idelta_status status = idelta_trainer_run(trainer.get(), nullptr, nullptr, nullptr);
    left_over = -1;
    if (status == IDELTA_OK) break;
    ASSERT_EQ(IDELTA_OUT_OF_MEMORY, status) << idelta_last_error();
  }
  char digits[17];
  EXPECT_OK(idelta_network_hash(learner.get(), digits));
  EXPECT_EQ(wanted, digits);
}

}  // namespace
}  // namespace idelta_test
