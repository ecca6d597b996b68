// Kinds by their names. Kinds are numbered from 0 without a gap, so that a function from kind to name, which returns
// null after the last, lists them all.
#ifndef IDELTA_CORE_BASE_NAMED_H
#define IDELTA_CORE_BASE_NAMED_H

#include <string>
#include <string_view>

#include "src/core/base/error.h"

namespace idelta::core {

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
