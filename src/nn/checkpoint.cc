// Checkpoints. A safetensors file whose metadata hold format "idelta-checkpoint", version "1", what model_metadata.h
// says of the network and its training, and
//   epoch, image                    where the run goes on; image counts those of the epoch that are done
//   epoch_loss, epoch_correct       sums over them
//   seconds                         of training
//   data                            the name of the set
//   hash.<tensor>, hash             of each tensor, and of all the rest of the metadata
// Tensors, F32: layers.<l>.delta [n, n] and layers.<l>.bias [n] as in model files, and for every array that the
// optimiser keeps layers.<l>.delta_state<i> [n, n] and layers.<l>.bias_state<i> [n].
#include <algorithm>

#include "check_data.h"
#include "error.h"
#include "hash.h"
#include "model_metadata.h"
#include "model_tensors.h"
#include "trainer_state.h"

namespace idelta::nn {
namespace {

constexpr char kFormat[] = "idelta-checkpoint", kVersion[] = "1";
constexpr char kHash[] = "hash.";
constexpr char kMend[] = "copy it again, or train again from the start";

Metadata checkpoint_metadata(const SafetensorsFile& file) {
  const Metadata metadata(file);
  if (metadata.get_if_there("format") != kFormat) {
    fail(file.path(), ": is no checkpoint of a training run; give the file that --checkpoint wrote");
  }
  metadata.expect_version(kVersion, kVersion);
  metadata.get("hash");
  check_metadata_hash(metadata, kMend);
  return metadata;
}

std::string delta_state(int i) { return sentence("delta_state", i); }
std::string bias_state(int i) { return sentence("bias_state", i); }

// Shapes and number, before memory is taken for any.
void check_tensors(const SafetensorsFile& file, const NetworkOptions& options, int arrays) {
  const int64_t n = width_of(file.path(), options);
  const std::string with_n = sentence(" with n = ", n);
  const size_t tensors = file.header().tensors.size();
  if (options.layers < 1 || tensors != static_cast<uint64_t>(options.layers) * static_cast<size_t>(2 + 2 * arrays)) {
    fail(file.path(), ": holds ", tensors, " tensors, but its metadata promises ", options.layers, " layers of ",
         2 + 2 * arrays, "; the file is damaged");
  }
  for (int64_t l = 0; l < options.layers; ++l) {
    const auto check = [&](const std::string& delta, const std::string& bias) {
      check_tensor(file, tensor_name(l, delta), {n, n}, "n x n" + with_n);
      check_tensor(file, tensor_name(l, bias), {n}, "n" + with_n);
    };
    check("delta", "bias");
    for (int i = 0; i < arrays; ++i) check(delta_state(i), bias_state(i));
  }
}

std::vector<float> read_hashed(SafetensorsFile& file, const Metadata& metadata, const std::string& name) {
  std::vector<float> values = read_finite(file, name);
  if (hex(hash_of(values)) == metadata.get(kHash + name)) return values;
  fail(file.path(), ": tensor '", name, "' is not what was saved; the file is damaged or was edited: ", kMend);
}

void refuse(const std::string& path, const std::string& what, const std::string& difference, const std::string& mend) {
  if (difference.empty()) return;
  fail(path, ": was begun with ", what, " in which ", difference, "; ", mend);
}

// Draws of the shuffling that a resumed run repeats at most: some minutes, more than any run on a CPU has trained.
constexpr double kMostDraws = 1e11;

// Before anything is repeated: whether the options lead to the position, in these steps.
void check_position(const std::string& path, int64_t epoch, int64_t image, int64_t steps, int64_t epochs,
                    int64_t images, int64_t batch) {
  const bool within = epoch >= 0 && epoch <= epochs && image >= 0 && image < images && (epoch < epochs || image == 0);
  const int64_t batches = (images + batch - 1) / batch;
  const bool countable = steps <= INT64_MAX / 2;  // so that it can still be counted up
  if (!within || !countable || image % batch != 0 ||
      static_cast<double>(epoch) * static_cast<double>(images) > kMostDraws ||
      steps < epoch * batches + image / batch) {
    fail(path, ": its metadata says epoch ", epoch, " of ", epochs, ", image ", image, ", after ", steps,
         " steps, which is no place of such a run; the file is damaged: ", kMend);
  }
}

}  // namespace

CheckpointInfo read_checkpoint(const std::string& path) {
  const SafetensorsFile file(path);
  const Metadata metadata = checkpoint_metadata(file);
  CheckpointInfo info = {read_network_options(metadata), read_train_options(metadata)};
  info.settings = read_trained_with(metadata).settings;
  metadata.read("training.images", info.images);
  metadata.read("epoch", info.epoch);
  metadata.read("image", info.image);
  return info;
}

void Trainer::save(const std::string& checkpoint) const {
  const State& s = *state_;
  const Network& network = s.network;
  const int64_t n = network.n();
  const bool epoch_is_done = s.next_image == s.data.count;  // called by an Observer
  MetadataMap metadata = describe(network, s.trained_with());
  metadata["format"] = kFormat;
  metadata["version"] = kVersion;
  metadata["epoch"] = text_of(epoch_is_done ? s.epoch + 1 : s.epoch);
  metadata["image"] = text_of(epoch_is_done ? 0 : s.next_image);
  metadata["epoch_loss"] = text_of(s.epoch_loss);
  metadata["epoch_correct"] = text_of(s.epoch_correct);
  metadata["data"] = s.data.name;
  metadata["seconds"] = text_of(seconds());

  std::vector<std::vector<float>> matrices;  // in rows, until they are written
  std::vector<TensorValues> tensors;
  const auto add = [&](int64_t l, const std::string& what, std::vector<int64_t> shape, std::span<const float> values) {
    const std::string name = tensor_name(l, what);
    check_finite(checkpoint, name, values);
    metadata[kHash + name] = hex(hash_of(values));
    tensors.push_back({name, std::move(shape), values});
  };
  for (int64_t l = 0; l < network.layers(); ++l) {
    add(l, "delta", {n, n}, matrices.emplace_back(network.delta(l)));
    add(l, "bias", {n}, network.bias(l));
    const State::Slots& slot = s.slots[static_cast<size_t>(l)];
    for (int i = 0; i < idelta_optimizer_state_arrays(s.options.optimizer); ++i) {
      std::vector<float>& rows = matrices.emplace_back(static_cast<size_t>(n * n));
      panels_unpack(network.context(), n, slot.delta[i].data(), rows.data(), n);
      add(l, delta_state(i), {n, n}, rows);
      add(l, bias_state(i), {n}, slot.bias[i]);
    }
  }
  metadata["hash"] = hex(metadata_hash(metadata));
  write_safetensors(checkpoint, metadata, tensors);
}

Trainer Trainer::resume(Network& network, const Dataset& data, const std::string& checkpoint) {
  SafetensorsFile file(checkpoint);
  const Metadata metadata = checkpoint_metadata(file);
  const NetworkOptions was = read_network_options(metadata);
  const TrainOptions options = read_train_options(metadata);
  refuse(checkpoint, "a network", difference(settings(was), settings(network.options())), "resume with that one");
  const Settings begun = read_trained_with(metadata).settings;
  Settings here = data_settings(data);
  for (const char* what : {"images", "data_hash"}) {
    refuse(checkpoint, "data (" + metadata.get("data") + ")", difference(begun, {{what, here.at(what)}}),
           "resume with those images and labels");
  }
  const int arrays = idelta_optimizer_state_arrays(options.optimizer);
  check_tensors(file, was, arrays);

  auto state = std::make_unique<State>(network, data, options, std::move(here));
  State& s = *state;
  const TrainedWith now = s.trained_with();
  refuse(checkpoint, "products",
         difference({{"compute", metadata.get("compute")}, {"bf16_product", metadata.get_if_there("bf16_product")}},
                    {{"compute", now.compute}, {"bf16_product", now.bf16_product}}),
         "resume where they are computed so: on such a machine, or with IDELTA_ISA and IDELTA_BF16 set");
  metadata.read("training.steps", s.optimizer.step);
  metadata.read("epoch", s.epoch);
  metadata.read("image", s.next_image);
  metadata.read("epoch_loss", s.epoch_loss);
  metadata.read("epoch_correct", s.epoch_correct);
  metadata.read("seconds", s.earlier_seconds);
  check_position(checkpoint, s.epoch, s.next_image, s.optimizer.step, options.epochs, s.data.count, s.batch);
  s.drawn = s.next_image > 0;
  const int64_t shuffles = s.drawn ? s.epoch + 1 : s.epoch;
  for (int64_t i = 0; i < shuffles; ++i) s.shuffle();
  for (int64_t l = 0; l < network.layers(); ++l) {
    const auto read = [&](const std::string& what) { return read_hashed(file, metadata, tensor_name(l, what)); };
    network.set_layer(l, read("delta"), read("bias"));
    State::Slots& slot = s.slots[static_cast<size_t>(l)];
    for (int i = 0; i < arrays; ++i) {
      panels_pack(network.context(), network.n(), read(delta_state(i)).data(), network.n(), slot.delta[i].data());
      slot.bias[i] = read(bias_state(i));
    }
  }
  if (s.optimizer.step > 0) network.set_trained_with(s.trained_with());
  return Trainer(std::move(state));
}

Settings finished_settings(const TrainOptions& options, const Dataset& data) {
  Settings all = settings_of(options);
  all.merge(data_settings(data));
  const int64_t batch = std::min(options.batch, data.count);
  all["steps"] = text_of(options.epochs * ((data.count + batch - 1) / batch));
  return all;
}

}  // namespace idelta::nn
