// Failures below the C ABI are exceptions; the wall in c_api*.cc turns them into a status and a sentence.
#ifndef IDELTA_CORE_ERROR_H
#define IDELTA_CORE_ERROR_H

#include <stdexcept>
#include <string>

#include "idelta/idelta.h"
#include "src/core/float_mode.h"

namespace idelta::core {

class Failure : public std::runtime_error {
 public:
  Failure(idelta_status status, const std::string& what) : std::runtime_error(what), status_(status) {}
  idelta_status status() const { return status_; }

 private:
  idelta_status status_;
};

// The sentence of idelta_last_error(), a string a thread.
std::string& last_error();

// Runs body in the library's floating-point mode; its failure becomes the status returned and "<call>: <what>" in
// last_error().
template <class Body>
idelta_status guarded(const char* call, Body&& body) noexcept;

idelta_status record_failure(const char* call) noexcept;  // of the exception being handled

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

#endif  // IDELTA_CORE_ERROR_H
