// Checks of arguments that any C ABI takes: pointers, matrices, numbers.
#ifndef IDELTA_CORE_API_ARGUMENT_CHECKS_H
#define IDELTA_CORE_API_ARGUMENT_CHECKS_H

#include <cmath>
#include <cstdint>
#include <string>

#include "idelta/idelta.h"
#include "src/core/base/error.h"

namespace idelta::core {

[[noreturn]] inline void invalid(const std::string& what) { throw Failure(IDELTA_INVALID_ARGUMENT, what); }

inline void check_pointer(const void* pointer, const char* name) {
  if (!pointer) invalid(std::string(name) + " is null");
}

inline void check_context(const idelta_context* context) {
  if (!context) invalid("context is null; make one with idelta_context_create");
}

// A matrix of `rows` x n with row stride ld; not checked if it has no rows.
inline void check_matrix(const void* data, const char* name, int64_t rows, int64_t ld, const char* ld_name, int64_t n,
                         const char* n_name = "n") {
  if (rows == 0) return;
  check_pointer(data, name);
  if (ld < n) {
    invalid(std::string(ld_name) + " = " + std::to_string(ld) + " is less than " + n_name + " = " + std::to_string(n) +
            "; it is the distance between rows of " + name + " in elements");
  }
}

inline void check_finite(float value, const char* name) {
  if (!std::isfinite(value)) invalid(std::string(name) + " = " + std::to_string(value) + " is not finite");
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_ARGUMENT_CHECKS_H
