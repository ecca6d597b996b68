// All formats: AUTO's order, and the format that does the work of the one asked for.
#ifndef IDELTA_CORE_FORMATS_LIST_H
#define IDELTA_CORE_FORMATS_LIST_H

#include <span>

#include "src/core/formats/format.h"

namespace idelta::core {

// Fastest first, those of AUTO before those that are only taken by name.
std::span<const Format* const> all_formats();
// What AUTO tries in turn; the last is F32.
std::span<const Format* const> automatic_formats();

// The format of this id that this context runs, or what stands in for it; null: there is no such id.
const Format* format_for(const idelta_context& context, idelta_format id);

// "auto" too, and fit for all uses; null and false for none of ours.
const char* format_name(idelta_format id);
bool multiplies_gradients(idelta_format id);  // x^T dz

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_LIST_H
