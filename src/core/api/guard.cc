#include "src/core/api/guard.h"

#include <cstdio>
#include <new>
#include <string>

namespace idelta::core {

namespace {

thread_local const char* sentence = "";

// In memory that every thread has: the C library ends a program that has none for a thread's first string. Enough for
// the name of any call.
idelta_status record_no_memory(const char* call, const char* what) noexcept {
  thread_local char text[128];
  std::snprintf(text, sizeof text, "%s: %s", call, what);
  sentence = text;
  return IDELTA_OUT_OF_MEMORY;
}

idelta_status record(idelta_status status, const char* call, const char* what) noexcept {
  try {
    thread_local std::string text;
    text = std::string(call) + ": " + what;
    sentence = text.c_str();
  } catch (const std::exception&) {
    record_no_memory(call, "failed, and there is no memory for the reason");
  }
  return status;
}

}  // namespace

const char* last_error() { return sentence; }

idelta_status record_failure(const char* call) noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    return record(failure.status(), call, failure.what());
  } catch (const std::bad_alloc&) {
    return record_no_memory(call, "out of memory");
  } catch (const std::exception& error) {
    return record(IDELTA_INTERNAL, call, error.what());
  } catch (...) {
    return record(IDELTA_INTERNAL, call, "unknown exception");
  }
}

}  // namespace idelta::core
