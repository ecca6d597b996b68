#include "model_forms.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "error.h"
#include "forms_check.h"
#include "hash.h"
#include "shallow_json.h"

namespace idelta::nn {
namespace {

using Json = nlohmann::ordered_json;

// The first text of this version said less of a form: rank, dropped, departure, overlap.
constexpr int64_t kVersion = 1;
constexpr size_t kOlderMembers = 4;
constexpr char kDenseWord[] = "dense";

// forms_text nests so deep and no deeper, and writes no more than this of a layer. A hostile text ends here.
constexpr int kMostNested = 5;
constexpr size_t kMostBytes = 4096;

struct Damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Sound, but of another version of this text; says by whom it was written.
struct OtherVersion : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const Json& member(const Json& of, const char* key) {
  if (!of.is_object() || !of.contains(key)) throw Damaged(sentence("'", key, "' is missing"));
  return of[key];
}

const Json& array(const Json& of, const char* key, size_t size) {
  const Json& found = member(of, key);
  if (!found.is_array() || found.size() != size) throw Damaged(sentence("'", key, "' is no list of ", size));
  return found;
}

int64_t integer(const Json& of, const char* key) {
  const Json& found = member(of, key);
  if (!found.is_number_integer()) throw Damaged(sentence("'", key, "' is no whole number"));
  if (found.is_number_unsigned() && found.get<uint64_t>() > uint64_t{INT64_MAX}) {
    throw Damaged(sentence("'", key, "' is ", found.get<uint64_t>()));
  }
  return found.get<int64_t>();
}

double number(const Json& of, const char* key) {
  const Json& found = member(of, key);
  if (!found.is_number()) throw Damaged(sentence("'", key, "' is no number"));
  return found.get<double>();
}

bool boolean(const Json& of, const char* key) {
  const Json& found = member(of, key);
  if (!found.is_boolean()) throw Damaged(sentence("'", key, "' is neither true nor false"));
  return found.get<bool>();
}

const std::string& text(const Json& value, const char* what) {
  if (!value.is_string()) throw Damaged(sentence("'", what, "' is no text"));
  return value.get_ref<const std::string&>();
}

// Programs show it.
const std::string& form_name(const Json& value) {
  constexpr size_t kMostCharacters = 64;
  const std::string& name = text(value, "name");
  const bool shows = std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (name.empty() || name.size() > kMostCharacters || !shows) throw Damaged("a form's name is no short plain text");
  return name;
}

uint64_t hash(const Json& of, const char* key) {
  const std::string& digits = text(member(of, key), key);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, kHexDigits);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() != kHexDigits) {
    throw Damaged(sentence("'", key, "' is no hash of ", kHexDigits, " digits"));
  }
  return value;
}

Json layer_json(const FormsRecord& record, size_t l) {
  const Forms::Layer& layer = record.layers[l];
  Json forms = Json::array();
  for (size_t f = 0; f < record.forms.size(); ++f) {
    const int64_t rank = record.forms[f].ranks[l];
    if (rank == kDense) {
      forms.push_back(kDenseWord);
      continue;
    }
    const LowRankProof& proof = layer.proofs[f];
    forms.push_back({{"rank", rank},
                     {"dropped", proof.dropped},
                     {"departure", proof.departure},
                     {"overlap", proof.overlap},
                     {"reverse_overlap", proof.reverse_overlap}});
    if (record.forms[f].has_tail(l)) forms.back()["tail"] = proof.tail;
  }
  Json json = {{"rank", layer.rank},
               {"norm", layer.bounds.norm},
               {"delta_norm", layer.bounds.delta_norm},
               {"dense_error", layer.bounds.dense_error},
               {"has_delta", record.stored[l].has_delta},
               {"delta", hex(layer.delta_hash)},
               {"bias", hex(layer.bias_hash)},
               {"factors", hex(record.stored[l].factor_hash)},
               {"forms", std::move(forms)}};
  if (layer.tail) {
    json["tail_reverse_overlap"] = layer.tail->reverse_overlap;
    json["tail"] = hex(record.stored[l].tail_hash);
  }
  return json;
}

// Of a form with a tail, which all forms of its rank that have one share.
void read_tail(const Json& json, const Json& form, FormsRecord& record, size_t l, size_t f) {
  Forms::Layer& layer = record.layers[l];
  layer.proofs[f].tail = number(form, "tail");
  record.forms[f].tails[l] = IDELTA_TAIL_INT8;
  if (layer.tail) return;
  layer.tail = Forms::Tail{record.forms[f].ranks[l], {}, {}, {}, number(json, "tail_reverse_overlap")};
  record.stored[l].tail_hash = hash(json, "tail");
}

void read_layer(const Json& json, FormsRecord& record, size_t l) {
  Forms::Layer& layer = record.layers[l];
  layer.rank = integer(json, "rank");
  layer.bounds = {number(json, "norm"), number(json, "delta_norm"), number(json, "dense_error")};
  layer.delta_hash = hash(json, "delta");
  layer.bias_hash = hash(json, "bias");
  record.stored[l] = {boolean(json, "has_delta"), hash(json, "factors"), 0};
  for (size_t f = 0; const Json& form : array(json, "forms", record.forms.size())) {
    LowRankProof& proof = layer.proofs.emplace_back();
    proof = IDELTA_LOW_RANK_PROOF_INIT;
    const size_t index = f++;
    int64_t& rank = record.forms[index].ranks[l];
    if (form.is_string() && text(form, "form") == kDenseWord) {
      rank = kDense;
      continue;
    }
    rank = integer(form, "rank");
    if (rank < 0) throw Damaged(sentence("'rank' is ", rank));
    proof.dropped = number(form, "dropped");
    proof.departure = number(form, "departure");
    proof.overlap = number(form, "overlap");
    if (form.size() == kOlderMembers && !form.contains("reverse_overlap")) {
      throw OtherVersion("an older idelta, which measured less of them");
    }
    proof.reverse_overlap = number(form, "reverse_overlap");
    if (form.contains("tail")) read_tail(json, form, record, l, index);
  }
  if (!record.stored[l].has_delta && record.needs_delta(l)) {
    throw Damaged(sentence("layer ", l + 1, " is dense, but its D is said to be dropped"));
  }
}

FormsRecord read(const std::string& json_text, int64_t layers, int64_t n) {
  const auto count = static_cast<size_t>(layers);
  if (json_text.size() / kMostBytes > count) throw Damaged("it is too long");
  const auto json = parse_shallow<Json>(json_text, kMostNested);
  const int64_t version = integer(json, "version");
  if (version > kVersion) throw OtherVersion(sentence("a newer idelta than this one, as version ", version));
  if (version != kVersion) throw Damaged(sentence("its version is ", version));
  FormsRecord record;
  const Json& names = member(json, "names");
  if (!names.is_array() || names.empty() || names.size() > Forms::kMost) {
    throw Damaged(sentence("'names' is no list of 1 to ", Forms::kMost));
  }
  const Json& described = array(json, "layers", count);
  for (const Json& name : names) {
    record.forms.push_back({form_name(name), std::vector<int64_t>(count), std::vector(count, IDELTA_TAIL_NONE)});
  }
  record.layers.resize(count);
  record.stored.resize(count);
  for (size_t l = 0; const Json& layer : described) read_layer(layer, record, l++);
  check_forms(n, record.forms, record.layers);
  return record;
}

}  // namespace

bool FormsRecord::has_dense() const {
  return std::all_of(stored.begin(), stored.end(), [](const Layer& layer) { return layer.has_delta; });
}

bool FormsRecord::needs_delta(size_t layer) const {
  return std::any_of(forms.begin(), forms.end(), [&](const Form& form) { return form.ranks[layer] == kDense; });
}

uint64_t factor_hash(const Forms::Layer& layer) {
  Hash hash;
  hash.add(std::span<const float>(layer.U));
  hash.add(std::span<const float>(layer.V));
  return hash.value();
}

uint64_t tail_hash(const Forms::Tail& tail) {
  Hash hash;
  hash.add(std::span<const int8_t>(tail.q));
  hash.add(std::span<const float>(tail.scales));
  hash.add(std::span<const float>(tail.V));
  return hash.value();
}

std::string forms_text(const FormsRecord& record) {
  Json names = Json::array(), layers = Json::array();
  for (const Form& form : record.forms) names.push_back(form.name);
  for (size_t l = 0; l < record.layers.size(); ++l) layers.push_back(layer_json(record, l));
  return Json{{"version", kVersion}, {"names", std::move(names)}, {"layers", std::move(layers)}}.dump();
}

FormsRecord parse_forms(const std::string& path, const std::string& text, int64_t layers, int64_t n) {
  try {
    return read(text, layers, n);
  } catch (const nlohmann::json::exception&) {
    fail(path, ": what its metadata says of forms is not JSON; the file is damaged: compress the dense model again");
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const OtherVersion& e) {
    fail(path, ": its forms were written by ", e.what(), "; make them again: idelta compress of the dense model");
  } catch (const std::exception& e) {
    fail(path, ": what its metadata says of forms cannot be: ", e.what(),
         "; the file is damaged: compress the dense model again");
  }
}

uint64_t metadata_hash(const MetadataMap& metadata) {
  Hash hash;
  for (const auto& [key, value] : metadata) {
    if (key == "hash") continue;
    hash.add(std::string_view(key));
    hash.add(std::string_view(value));
  }
  return hash.value();
}

}  // namespace idelta::nn
