#include "src/core/api/guard.h"

#include <new>

#include "src/core/api/last_error.h"

namespace idelta::core {

std::string& last_error() {
  thread_local std::string sentence;
  return sentence;
}

idelta_status record_failure(const char* call) noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    return idelta_record_error(failure.status(), call, failure.what());
  } catch (const std::bad_alloc&) {
    return idelta_record_error(IDELTA_OUT_OF_MEMORY, call, "out of memory");
  } catch (const std::exception& error) {
    return idelta_record_error(IDELTA_INTERNAL, call, error.what());
  } catch (...) {
    return idelta_record_error(IDELTA_INTERNAL, call, "unknown exception");
  }
}

}  // namespace idelta::core

extern "C" idelta_status idelta_record_error(idelta_status status, const char* call, const char* what) noexcept {
  try {
    idelta::core::last_error() = std::string(call) + ": " + what;
  } catch (...) {  // not even memory for the sentence
    idelta::core::last_error().clear();
  }
  return status;
}
