#include "src/core/api/guard.h"

#include <new>

namespace idelta::core {

std::string& last_error() {
  thread_local std::string sentence;
  return sentence;
}

namespace {
idelta_status record(idelta_status status, const char* call, const char* what) noexcept {
  try {
    last_error() = std::string(call) + ": " + what;
  } catch (...) {  // not even memory for the sentence
    last_error().clear();
  }
  return status;
}
}  // namespace

idelta_status record_failure(const char* call) noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    return record(failure.status(), call, failure.what());
  } catch (const std::bad_alloc&) {
    return record(IDELTA_OUT_OF_MEMORY, call, "out of memory");
  } catch (const std::exception& error) {
    return record(IDELTA_INTERNAL, call, error.what());
  } catch (...) {
    return record(IDELTA_INTERNAL, call, "unknown exception");
  }
}

}  // namespace idelta::core
