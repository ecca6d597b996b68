// The input as the metadata text of a model file that says what its forms are, which the file's hash keeps from the
// fuzzer of whole files: whatever is in it, either it is read and its parts agree, or it is an exception with a
// sentence.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "nn/model_forms.h"
#include "reading.h"

namespace {

constexpr int64_t kLayers = 2, kWidth = 19;

// Everything that load_model relies on.
void check(const idelta::nn::FormsRecord& record) {
  if (record.forms.empty() || record.forms.size() > idelta::nn::Forms::kMost) std::abort();
  if (record.layers.size() != kLayers || record.stored.size() != kLayers) std::abort();
  for (size_t l = 0; l < kLayers; ++l) {
    const idelta::nn::Forms::Layer& layer = record.layers[l];
    if (layer.rank < 0 || layer.rank > kWidth || layer.proofs.size() != record.forms.size()) std::abort();
    for (const idelta::nn::Form& form : record.forms) {
      if (form.ranks.size() != kLayers) std::abort();
      if (form.ranks[l] != idelta::nn::kDense && (form.ranks[l] < 0 || form.ranks[l] > layer.rank)) std::abort();
      if (form.tails.size() != kLayers) std::abort();
      if (form.has_tail(l) && (!layer.tail || layer.tail->rank != form.ranks[l])) std::abort();
    }
    if (record.needs_delta(l) && !record.stored[l].has_delta) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  const std::string text(reinterpret_cast<const char*>(bytes), count);
  idelta_fuzz::reads_or_says_why([&] {
    const idelta::nn::FormsRecord record = idelta::nn::parse_forms("file", text, kLayers, kWidth);
    check(record);
    // What was read is written as what reads the same.
    const std::string again = idelta::nn::forms_text(record);
    if (idelta::nn::forms_text(idelta::nn::parse_forms("file", again, kLayers, kWidth)) != again) std::abort();
  });
  return 0;
}
