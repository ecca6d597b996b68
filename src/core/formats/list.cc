#include "src/core/formats/list.h"

#include <algorithm>
#include <iterator>

namespace idelta::core {

extern const Format kBf16Rounded, kBf16Widened, kBf16x3, kF32, kInt8, kLowRank;

namespace {

// To add a format: a file beside this one and a line here. AUTO prefers the earlier one of two that are equally fast.
constexpr const Format* kFormats[] = {
    &kBf16Rounded, &kBf16Widened, &kBf16x3, &kF32, &kInt8, &kLowRank,
};

// Any format of this id.
const Format* first_of(idelta_format id) {
  const auto* const found =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format* f) { return f->id == id; });
  return found == std::end(kFormats) ? nullptr : *found;
}

}  // namespace

std::span<const Format* const> all_formats() { return kFormats; }

const Format* format_for(const idelta_context& context, idelta_format id) {
  const Format* found = nullptr;
  for (const Format* format : kFormats) {
    if (format->id == id && (!found || format->runs(context))) found = format;
  }
  return !found || found->runs(context) ? found : found->stands_in;
}

const char* format_name(idelta_format id) {
  if (id == IDELTA_FORMAT_AUTO) return "auto";
  const Format* const format = first_of(id);
  return format ? format->name : nullptr;
}

bool multiplies_gradients(idelta_format id) {
  if (id == IDELTA_FORMAT_AUTO) return true;
  const Format* const format = first_of(id);
  return format && format->gradient_planes >= 0;
}

}  // namespace idelta::core
