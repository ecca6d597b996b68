// The forms that the library packs a given D in: a format, and of low rank a rank and a tail.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "idelta/idelta.hpp"

namespace idelta::bench {

struct PackedForm {
  std::string name;  // bf16, lr32, lr32+int8
  std::shared_ptr<const Delta> delta;
};

// Of forward alone.
struct FormChoice {
  idelta_format format;
  int64_t rank = 0;
  idelta_tail tail = IDELTA_TAIL_NONE;
  float identity_scale = 1.0f;
};

// "bf16", "lr32", "lr32+int8".
std::string form_name(idelta_format format, int64_t rank, idelta_tail tail);

// D: n x n without gaps.
PackedForm packed_form(const Context& context, int64_t n, const float* D, const FormChoice& choice);

// As `options` say; none where no form is within the tolerance.
std::optional<PackedForm> packed_within(const Context& context, int64_t n, const float* D, const DeltaOptions& options);

}  // namespace idelta::bench
