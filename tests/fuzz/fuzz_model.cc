// Model files and checkpoints that were edited by the input, with hashes that fit, which keep the fuzzer of whole files
// outside: whatever they hold, either a network is loaded and labels images, or a run goes on, or it is an exception
// with a sentence.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <filesystem>
#include <idelta/nn.hpp>
#include <iterator>
#include <string>
#include <vector>

#include "memory_file.h"
#include "nn/hash.h"
#include "nn/model_forms.h"
#include "nn/model_metadata.h"
#include "nn/safetensors.h"
#include "reading.h"

namespace {

namespace nn = idelta::nn;

// What a file holds.
struct Contents {
  std::map<std::string, std::string> metadata;
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::vector<float>> values;
};

Contents contents_of(const std::string& path) {
  nn::SafetensorsFile file(path);
  Contents read = {file.header().metadata, {}, {}, {}};
  for (const auto& [name, tensor] : file.header().tensors) {
    read.names.push_back(name);
    read.shapes.push_back(tensor.shape);
    read.values.emplace_back((tensor.end - tensor.begin) / sizeof(float));
    file.read(name, read.values.back());
  }
  return read;
}

nn::Dataset small_set() {
  return {"small", 3, 2, 2, 2, {0.1f, 0.9f, 0.5f, 0.2f, 0.8f, 0.3f, 0.4f, 0.6f, 0.7f, 0.0f, 1.0f, 0.5f}, {0, 1, 0}};
}

nn::NetworkOptions small_options() {
  nn::NetworkOptions options;
  options.layers = 2;
  options.height = options.width = options.classes = 2;
  options.feature_names = {"a", "b", "c", "d"};
  return options;
}

const idelta::Context& context() {
  static const idelta::Context one = idelta::Context::with(IDELTA_ISA_SCALAR, 1);
  return one;
}

// A model, two with forms, and a checkpoint.
std::vector<Contents> made_files() {
  std::string folder = (std::filesystem::temp_directory_path() / "idelta-fuzz-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) std::abort();
  const std::string path = folder + "/file";
  std::vector<Contents> all;
  nn::Network network(context(), small_options());
  const nn::Dataset data = small_set();
  nn::TrainOptions options;
  options.batch = 2;
  nn::Trainer trainer(network, data, options);
  trainer.run();
  nn::save_model(path, network);
  all.push_back(contents_of(path));
  network.set_forms(nn::compress(network, {.rank = 2}, data));
  for (const bool drop : {false, true}) {
    nn::save_model(path, network, {.drop_dense = drop});
    all.push_back(contents_of(path));
  }
  nn::Trainer stopped(network, data, options);
  stopped.run([](const nn::Progress&) { return false; });
  stopped.save(path);
  all.push_back(contents_of(path));
  std::filesystem::remove_all(folder);
  return all;
}

template <class Map>
auto at(Map& map, FuzzedDataProvider& from) {
  return std::next(map.begin(), from.ConsumeIntegralInRange<int64_t>(0, static_cast<int64_t>(map.size()) - 1));
}

// Replaces a piece of a text.
void splice(std::string& text, FuzzedDataProvider& from) {
  const auto begin = from.ConsumeIntegralInRange<size_t>(0, text.size());
  const auto count = from.ConsumeIntegralInRange<size_t>(0, std::min<size_t>(text.size() - begin, 12));
  constexpr const char* kNumbers[] = {"-1",  "0",   "2",    "1e308", "9223372036854775807", "-9223372036854775808",
                                      "nan", "inf", "1e-9", "99",    "18446744073709551616"};
  text.replace(begin, count, from.ConsumeBool() ? from.PickValueInArray(kNumbers) : from.ConsumeRandomLengthString(12));
}

void edit(Contents& file, FuzzedDataProvider& from) {
  switch (from.ConsumeIntegralInRange(0, 6)) {
    case 0:
      if (!file.metadata.empty()) file.metadata.erase(at(file.metadata, from));
      return;
    case 1:
      if (!file.metadata.empty()) at(file.metadata, from)->second = from.ConsumeRandomLengthString(20);
      return;
    case 2: {
      std::vector<int64_t>& shape = *at(file.shapes, from);
      if (shape.size() == 2) std::swap(shape[0], shape[1]);
      return;
    }
    case 3: {
      std::vector<float>& values = *at(file.values, from);
      if (!values.empty()) *at(values, from) = from.ConsumeFloatingPoint<float>();
      return;
    }
    case 4:
      std::swap(*at(file.names, from), *at(file.names, from));
      return;
    default:
      if (!file.metadata.empty()) splice(at(file.metadata, from)->second, from);
  }
}

std::vector<std::byte> bytes_of(Contents& file) {
  std::vector<nn::TensorValues> tensors;
  for (size_t t = 0; t < file.names.size(); ++t) {
    tensors.push_back({file.names[t], file.shapes[t], file.values[t]});
    std::string& hash = file.metadata["hash." + file.names[t]];
    hash = nn::hex(nn::hash_of(file.values[t]));
  }
  file.metadata["hash"] = nn::hex(nn::metadata_hash(file.metadata));
  return nn::safetensors_bytes(file.metadata, tensors);
}

bool is_small(const nn::NetworkOptions& options) { return options.layers < 20 && options.n() < 60; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  static const std::vector<Contents> files = made_files();
  static const nn::Dataset data = small_set();
  static idelta_fuzz::MemoryFile memory;
  FuzzedDataProvider from(bytes, count);
  Contents file = files[from.ConsumeIntegralInRange<size_t>(0, files.size() - 1)];
  for (int edits = 0; edits < 4 && from.remaining_bytes() > 0; ++edits) edit(file, from);
  idelta_fuzz::reads_or_says_why([&] {
    const std::vector<std::byte> written = bytes_of(file);
    memory.fill(reinterpret_cast<const uint8_t*>(written.data()), written.size());
  });
  idelta_fuzz::reads_or_says_why([] {
    const nn::Network network = nn::load_model(context(), memory.path());
    if (network.has_dense()) nn::predict(network, data, {.guarantee = network.forms() != nullptr});
    nn::predict(network, data, {.form = network.forms() ? 0 : nn::kDense});
  });
  idelta_fuzz::reads_or_says_why([] {
    const nn::CheckpointInfo info = nn::read_checkpoint(memory.path());
    if (info.epoch > 1000 || !is_small(info.network)) return;  // a run of that length is not repeated here
    nn::Network network(context(), info.network);
    nn::Trainer::resume(network, data, memory.path()).run([](const nn::Progress&) { return false; });
  });
  return 0;
}
