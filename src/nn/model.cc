// Network <-> safetensors. The metadata holds format "idelta-mlp", version "1", what model_metadata.h says of the
// network and its training, and
//   layer_hashes   of D and b of each layer, in 16 hexadecimal digits, parted by blanks
//   hash           of all the rest of the metadata
// Files of before these were written have neither. A network with forms has version "2" and what model_forms.h says in
// place of layer_hashes.
#include <optional>

#include "error.h"
#include "hash.h"
#include "idelta/nn.hpp"
#include "model_forms.h"
#include "model_metadata.h"
#include "model_tensors.h"
#include "safetensors.h"
#include "without_dense.h"

namespace idelta::nn {
namespace {

constexpr char kFormat[] = "idelta-mlp";
constexpr char kVersion[] = "1", kVersionWithForms[] = "2";

NetworkOptions read_options(const SafetensorsFile& file) {
  const Metadata metadata(file);
  metadata.expect("format", kFormat);
  metadata.expect_version(metadata.has("forms") ? kVersionWithForms : kVersion, kVersionWithForms);
  return read_network_options(metadata);
}

std::string delta_name(int64_t layer) { return tensor_name(layer, "delta"); }
std::string bias_name(int64_t layer) { return tensor_name(layer, "bias"); }

// What the metadata says of forms, if it does.
std::optional<FormsRecord> read_record(const SafetensorsFile& file, const NetworkOptions& options) {
  const Metadata metadata(file);
  if (!metadata.has("forms")) return std::nullopt;
  metadata.get("hash");  // which every file with forms has
  check_metadata_hash(metadata, "compress the dense model again");
  if (options.layers < 1) fail(file.path(), ": its metadata promises ", options.layers, " layers; the file is damaged");
  return parse_forms(file.path(), metadata.get("forms"), options.layers, width_of(file.path(), options));
}

// All shapes, before memory is taken for any: what passes here is no larger than the file.
void check_tensors(const SafetensorsFile& file, const NetworkOptions& options) {
  const size_t tensors = file.header().tensors.size();
  if (options.layers < 1 || tensors != 2 * static_cast<uint64_t>(options.layers)) {
    fail(file.path(), ": holds ", tensors, " tensors, but its metadata promises ", options.layers,
         " layers of two; the file is damaged");
  }
  const int64_t n = width_of(file.path(), options);
  const std::string with_n = " with n = " + std::to_string(n);
  for (int64_t l = 0; l < options.layers; ++l) {
    check_tensor(file, delta_name(l), {n, n}, "n x n" + with_n);
    check_tensor(file, bias_name(l), {n}, "n" + with_n);
  }
}

void check_tail(const SafetensorsFile& file, int64_t layer, int64_t n, int64_t rank) {
  const std::string with_n = " with n = " + std::to_string(n);
  check_tensor(file, tensor_name(layer, "tail"), {n, n}, "n x n" + with_n, TensorType::kInt8);
  check_tensor(file, tensor_name(layer, "tail_scales"), {n}, "n" + with_n);
  check_tensor(file, tensor_name(layer, "tail_V"), {rank, n}, "r x n" + with_n + " and r = " + std::to_string(rank));
}

void check_tensors(const SafetensorsFile& file, const NetworkOptions& options, const FormsRecord& record) {
  size_t promised = 0;
  for (size_t l = 0; l < record.layers.size(); ++l) {
    promised += (record.stored[l].has_delta ? 4 : 3) + (record.layers[l].tail ? 3 : 0);
  }
  if (file.header().tensors.size() != promised) {
    fail(file.path(), ": holds ", file.header().tensors.size(), " tensors, but its metadata promises ", promised,
         "; the file is damaged");
  }
  const int64_t n = width_of(file.path(), options);
  const std::string with_n = " with n = " + std::to_string(n);
  for (int64_t l = 0; l < options.layers; ++l) {
    const int64_t rank = record.layers[static_cast<size_t>(l)].rank;
    const std::string with_rank = with_n + " and r = " + std::to_string(rank);
    if (record.stored[static_cast<size_t>(l)].has_delta) check_tensor(file, delta_name(l), {n, n}, "n x n" + with_n);
    check_tensor(file, bias_name(l), {n}, "n" + with_n);
    check_tensor(file, tensor_name(l, "U"), {n, rank}, "n x r" + with_rank);
    check_tensor(file, tensor_name(l, "V"), {rank, n}, "r x n" + with_rank);
    if (record.layers[static_cast<size_t>(l)].tail)
      check_tail(file, l, n, record.layers[static_cast<size_t>(l)].tail->rank);
  }
}

uint64_t layer_hash(std::span<const float> delta, std::span<const float> bias) {
  Hash hash;
  hash.add(delta);
  hash.add(bias);
  return hash.value();
}

void check_hash(const std::string& path, int64_t layer, const char* what, uint64_t is, uint64_t wanted) {
  if (is == wanted) return;
  fail(path, ": ", what, " of layer ", layer + 1, " is not what the forms were saved with (hash ", hex(is), ", not ",
       hex(wanted), "); the file is damaged or was edited: compress the dense model again");
}

// What the library says of factors or options is said of the file they came from. Errors of reading name it already.
template <class Make>
auto named(const std::string& path, const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error& e) {
    if (e.status() == IDELTA_OUT_OF_MEMORY) throw;
    fail(path, ": ", e.what());
  } catch (const std::exception& e) {
    if (std::string_view(e.what()).starts_with(path)) throw;
    fail(path, ": ", e.what());
  }
}

void read_tail(SafetensorsFile& file, int64_t layer, int64_t n, uint64_t hash, Forms::Tail& tail) {
  tail.q.resize(static_cast<size_t>(n * n));
  file.read(tensor_name(layer, "tail"), tail.q);
  tail.scales = read_finite(file, tensor_name(layer, "tail_scales"));
  tail.V = read_finite(file, tensor_name(layer, "tail_V"));
  check_hash(file.path(), layer, "the tail", tail_hash(tail), hash);
}

Network load_with_forms(const Context& context, SafetensorsFile& file, const NetworkOptions& options,
                        FormsRecord record) {
  const std::string& path = file.path();
  std::vector<LayerParameters> parameters(record.layers.size());
  for (int64_t l = 0; l < options.layers; ++l) {
    const auto index = static_cast<size_t>(l);
    Forms::Layer& layer = record.layers[index];
    LayerParameters& given = parameters[index];
    given.bias = read_finite(file, bias_name(l));
    check_hash(path, l, "the bias", hash_of(given.bias), layer.bias_hash);
    if (record.stored[index].has_delta) {
      given.delta = read_finite(file, delta_name(l));
      check_hash(path, l, "D", hash_of(given.delta), layer.delta_hash);
    }
    layer.U = read_finite(file, tensor_name(l, "U"));
    layer.V = read_finite(file, tensor_name(l, "V"));
    check_hash(path, l, "U or V", factor_hash(layer), record.stored[index].factor_hash);
    if (layer.tail) read_tail(file, l, options.n(), record.stored[index].tail_hash, *layer.tail);
  }
  return named(path, [&] {
    const bool has_dense = record.has_dense();
    auto forms = std::make_shared<const Forms>(context, options.n(), options.identity_scale, std::move(record.forms),
                                               std::move(record.layers));
    if (!has_dense) return WithoutDense::make(context, options, std::move(forms), std::move(parameters));
    Network network(context, options, [&](int64_t l) { return std::move(parameters[static_cast<size_t>(l)]); });
    network.set_forms(std::move(forms));
    return network;
  });
}

constexpr char kMendPlain[] = "copy it again, or train again";

// Of every layer, as they stand in the metadata; empty if the file is older.
std::string plain_hashes(const SafetensorsFile& file, const NetworkOptions& options) {
  const Metadata metadata(file);
  check_metadata_hash(metadata, kMendPlain);
  if (!metadata.has("hash") && !metadata.has("layer_hashes")) return "";
  const std::string &hash = metadata.get("hash"), &hashes = metadata.get("layer_hashes");
  if (hashes.size() + 1 != static_cast<size_t>(options.layers) * (hash.size() + 1)) {
    fail(file.path(), ": its metadata has 'layer_hashes' of other than ", options.layers,
         " layers; the file is damaged: ", kMendPlain);
  }
  return hashes;
}

Network load_plain(const Context& context, SafetensorsFile& file, const NetworkOptions& options) {
  const std::string hashes = plain_hashes(file, options);
  const auto read = [&](int64_t l) {
    LayerParameters layer = {read_finite(file, delta_name(l)), read_finite(file, bias_name(l))};
    const std::string is = hex(layer_hash(layer.delta, layer.bias));
    if (!hashes.empty() && hashes.compare(static_cast<size_t>(l) * (is.size() + 1), is.size(), is) != 0) {
      fail(file.path(), ": D or the bias of layer ", l + 1,
           " is not what was saved; the file is damaged or was edited: ", kMendPlain);
    }
    return layer;
  };
  return named(file.path(), [&] { return Network(context, options, read); });
}

std::string layer_hashes(const Network& network, const std::vector<std::vector<float>>& deltas) {
  std::string hashes;
  for (int64_t l = 0; l < network.layers(); ++l) {
    hashes += (l == 0 ? "" : " ") + hex(layer_hash(deltas[static_cast<size_t>(l)], network.bias(l)));
  }
  return hashes;
}

// What of a network's forms goes into a file; refuses forms of other parameters than are saved with them.
FormsRecord record_of(const std::string& path, const Network& network, const SaveOptions& options,
                      const std::vector<std::vector<float>>& deltas) {
  FormsRecord record;
  for (size_t f = 0; f < network.forms()->count(); ++f) record.forms.push_back(network.forms()->form(f));
  for (int64_t l = 0; l < network.layers(); ++l) {
    const auto index = static_cast<size_t>(l);
    const Forms::Layer& layer = network.forms()->layers()[index];
    const bool drops = (options.drop_dense || !network.has_dense()) && !record.needs_delta(index);
    const bool knows_delta = network.has_dense() || record.needs_delta(index);
    if ((knows_delta && hash_of(deltas[index]) != layer.delta_hash) || hash_of(network.bias(l)) != layer.bias_hash) {
      fail(path, ": not written, since the forms of the network were made of other parameters in layer ", l + 1,
           "; compress it again");
    }
    record.layers.push_back({layer.rank, {}, {}, layer.bounds, layer.proofs, layer.delta_hash, layer.bias_hash});
    if (layer.tail) record.layers.back().tail = Forms::Tail{layer.tail->rank, {}, {}, {}, layer.tail->reverse_overlap};
    record.stored.push_back({!drops, factor_hash(layer), layer.tail ? tail_hash(*layer.tail) : 0});
  }
  return record;
}

void add_factors(const Forms::Layer& layer, int64_t l, int64_t n, std::vector<TensorValues>& tensors) {
  tensors.push_back({tensor_name(l, "U"), {n, layer.rank}, layer.U});
  tensors.push_back({tensor_name(l, "V"), {layer.rank, n}, layer.V});
  if (!layer.tail) return;
  tensors.push_back({tensor_name(l, "tail_scales"), {n}, layer.tail->scales});
  tensors.push_back({tensor_name(l, "tail_V"), {layer.tail->rank, n}, layer.tail->V});
}

// Behind all that is aligned to 4 bytes.
void add_integers(const Forms& forms, std::vector<TensorValues>& tensors) {
  const int64_t n = forms.n();
  for (size_t l = 0; l < forms.layers().size(); ++l) {
    const Forms::Layer& layer = forms.layers()[l];
    if (layer.tail) tensors.push_back({tensor_name(static_cast<int64_t>(l), "tail"), {n, n}, layer.tail->q});
  }
}

// write(metadata, tensors) with all that a file of the network holds; errors name `path`.
template <class Write>
void with_contents(const std::string& path, const Network& network, const SaveOptions& options, const Write& write) {
  if (options.drop_dense && !network.forms()) {
    fail(path, ": not written, since D is to be dropped of a network without forms; compress it first");
  }
  const int64_t n = network.n();
  MetadataMap metadata = describe(network, network.trained_with());
  metadata["format"] = kFormat;
  metadata["version"] = network.forms() ? kVersionWithForms : kVersion;
  std::vector<std::vector<float>> deltas;
  for (int64_t l = 0; l < network.layers(); ++l) deltas.push_back(network.delta(l));
  std::optional<FormsRecord> record;
  if (network.forms()) {
    record = record_of(path, network, options, deltas);
    metadata["forms"] = forms_text(*record);
  } else {
    metadata["layer_hashes"] = layer_hashes(network, deltas);
  }
  metadata["hash"] = hex(metadata_hash(metadata));
  std::vector<TensorValues> tensors;
  for (int64_t l = 0; l < network.layers(); ++l) {
    const auto index = static_cast<size_t>(l);
    if (!record || record->stored[index].has_delta) tensors.push_back({delta_name(l), {n, n}, deltas[index]});
    tensors.push_back({bias_name(l), {n}, network.bias(l)});
    if (record) add_factors(network.forms()->layers()[index], l, n, tensors);
  }
  for (const TensorValues& tensor : tensors) {
    check_finite(path, tensor.name, std::get<std::span<const float>>(tensor.values));
  }
  if (record) add_integers(*network.forms(), tensors);
  write(metadata, tensors);
}

Network load(const Context& context, SafetensorsFile& file) {
  const NetworkOptions options = read_options(file);
  std::optional<FormsRecord> record = read_record(file, options);
  if (record) {
    check_tensors(file, options, *record);
  } else {
    check_tensors(file, options);
  }
  Network network =
      record ? load_with_forms(context, file, options, std::move(*record)) : load_plain(context, file, options);
  network.set_trained_with(read_trained_with(Metadata(file)));
  return network;
}

// What errors call a model in memory.
constexpr char kInMemory[] = "the model's bytes";

}  // namespace

void save_model(const std::string& path, const Network& network, const SaveOptions& options) {
  with_contents(path, network, options, [&](const MetadataMap& metadata, const std::vector<TensorValues>& tensors) {
    write_safetensors(path, metadata, tensors);
  });
}

std::vector<std::byte> model_bytes(const Network& network, const SaveOptions& options) {
  std::vector<std::byte> bytes;
  with_contents(kInMemory, network, options,
                [&](const MetadataMap& metadata, const std::vector<TensorValues>& tensors) {
                  bytes = safetensors_bytes(metadata, tensors);
                });
  return bytes;
}

Network load_model(const Context& context, const std::string& path) {
  SafetensorsFile file(path);
  return load(context, file);
}

Network load_model_bytes(const Context& context, std::span<const std::byte> bytes) {
  SafetensorsFile file(kInMemory, bytes);
  return load(context, file);
}

}  // namespace idelta::nn
