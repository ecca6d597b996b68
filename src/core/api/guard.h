// The wall of the C ABI: an exception from below becomes a status and a sentence.
#ifndef IDELTA_CORE_API_GUARD_H
#define IDELTA_CORE_API_GUARD_H

#include "src/core/base/error.h"
#include "src/core/machine/float_mode.h"

namespace idelta::core {

// The sentence of idelta_last_error(), one for each thread.
const char* last_error();

idelta_status record_failure(const char* call) noexcept;  // for the exception that is being handled

// Runs body in the library's floating-point mode. An exception becomes a status and "<call>: <what>" in last_error().
template <class Body>
idelta_status guarded(const char* call, Body&& body) noexcept {
  const FloatMode mode;
  try {
    body();
    return IDELTA_OK;
  } catch (...) {
    return record_failure(call);
  }
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_GUARD_H
