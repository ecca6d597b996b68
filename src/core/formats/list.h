// The list of all formats.
#ifndef IDELTA_CORE_FORMATS_LIST_H
#define IDELTA_CORE_FORMATS_LIST_H

#include <span>

#include "src/core/formats/format.h"

namespace idelta::core {

std::span<const Format* const> all_formats();

// The format of this id that this context runs, or its stand-in; null: there is no such id.
const Format* format_for(const idelta_context& context, idelta_format id);

// Both know AUTO; null and false for an unknown id.
const char* format_name(idelta_format id);
bool multiplies_gradients(idelta_format id);  // x^T dz

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_LIST_H
