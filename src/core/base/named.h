// Kinds by their names. Kinds are numbered from 0 without a gap, so that a function from kind to name, which returns
// null after the last, lists them all.
#ifndef IDELTA_CORE_BASE_NAMED_H
#define IDELTA_CORE_BASE_NAMED_H

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

#include "src/core/base/error.h"

namespace idelta::core {

// The row or name of a kind in an array of all in order; null for an unknown kind.
template <class Kind>
constexpr auto row_of(const auto& rows, Kind kind) {
  const auto index = static_cast<size_t>(kind);  // a negative one becomes large
  return index < std::size(rows) ? &rows[index] : nullptr;
}
template <class Kind>
constexpr const char* name_in(const auto& names, Kind kind) {
  const auto* const name = row_of(names, kind);
  return name ? *name : nullptr;
}

// "identity, relu, ..."
template <class Kind>
std::string listed(const char* (*name_of)(Kind)) {
  std::string names;
  for (int kind = 0; const char* name = name_of(static_cast<Kind>(kind)); ++kind) {
    names += (kind == 0 ? "" : ", ") + std::string(name);
  }
  return names;
}

// Throws Failure, which says what kind is meant, if none has that name.
template <class Kind>
Kind kind_named(const char* what, const char* (*name_of)(Kind), std::string_view wanted) {
  for (int kind = 0; const char* name = name_of(static_cast<Kind>(kind)); ++kind) {
    if (name == wanted) return static_cast<Kind>(kind);
  }
  throw Failure(IDELTA_INVALID_ARGUMENT,
                std::string(what) + " = \"" + std::string(wanted) + "\" is none of " + listed(name_of));
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_BASE_NAMED_H
