#include "src/core/api/guard.h"

#include <cstdio>
#include <new>
#include <string>

#include "src/core/api/last_error.h"

namespace idelta::core {
namespace {

thread_local const char* sentence = "";

// In memory that every thread has: the C library ends a program that has none for a thread's first string. Enough for
// what is said of memory; more is cut.
void say_in_place(const char* call, const char* what) noexcept {
  thread_local char text[256];
  std::snprintf(text, sizeof text, "%s: %s", call, what);
  sentence = text;
}

}  // namespace

const char* last_error() { return sentence; }

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

// Outside the namespace: there it would be another declaration than the header's, and hidden.
idelta_status idelta_record_error(idelta_status status, const char* call, const char* what) noexcept {
  using namespace idelta::core;
  if (status == IDELTA_OUT_OF_MEMORY) {
    say_in_place(call, what);
    return status;
  }
  try {
    thread_local std::string text;
    text = std::string(call) + ": " + what;
    sentence = text.c_str();
  } catch (const std::exception&) {
    say_in_place(call, "failed, and there is no memory for the reason");
  }
  return status;
}
