// The wall of nn.h: exceptions from below become statuses and sentences, and arguments are checked before anything is
// done. What can be checked below as well for callers in C++, such as the range of an option, is checked there alone.
#ifndef IDELTA_NN_API_WALL_H
#define IDELTA_NN_API_WALL_H

#include <cfenv>
#include <cstdint>
#include <string>
#include <vector>

#include "idelta/nn.h"
#include "idelta/nn.hpp"
#include "src/core/api/argument_checks.h"
#include "struct_versions.h"

namespace idelta::nn::api {

using core::check_context;
using core::check_matrix;
using core::check_pointer;
using core::give;
using core::Given;
using core::invalid;

// Whose fault it is what a call refuses without saying so.
enum class Fault { kArguments, kFile };

// Of the exception that is being handled.
idelta_status record_failure(const char* call, Fault fault) noexcept;

// Rounding to nearest, with denormals: the arithmetic of this library, which has the bits of the program whatever mode
// its caller is in. The caller's mode and exception flags come back at the end.
class DefaultFloatMode {
 public:
  DefaultFloatMode() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatMode() { std::fesetenv(&before_); }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
  std::fenv_t before_;
};

template <class Body>
idelta_status guarded(const char* call, Fault fault, Body&& body) noexcept {
  const DefaultFloatMode mode;
  try {
    body();
    return IDELTA_OK;
  } catch (...) {
    return record_failure(call, fault);
  }
}
template <class Body>
idelta_status guarded(const char* call, Body&& body) noexcept {
  return guarded(call, Fault::kArguments, body);
}
// Of a call that reads a file.
template <class Body>
idelta_status reading(const char* call, Body&& body) noexcept {
  return guarded(call, Fault::kFile, body);
}

// A handle that is there.
template <class Handle>
Handle& checked(Handle* handle, const char* name) {
  check_pointer(handle, name);
  return *handle;
}

int64_t batch_of(int64_t given);  // 0: the default

// Index 0 .. count - 1.
void check_index(const char* name, int64_t index, int64_t count);

std::string text_of(const char* text, const char* name);  // not null
inline std::string text_or_empty(const char* text) { return text ? text : ""; }
// `count` names that can be shown; none if null.
std::vector<std::string> names_of(const char* const* names, int64_t count, const char* what);
// Of `pixels` features; empty if both are null.
Scaling scaling_of(const double* offsets, const double* factors, int64_t pixels);

// Texts as C has them: addresses into `texts`, which must stay where they are.
std::vector<const char*> pointers_to(const std::vector<std::string>& texts);
template <class Value>
const Value* or_null(const std::vector<Value>& values) {
  return values.empty() ? nullptr : values.data();
}
void say(const std::vector<std::string>& texts, idelta_text_seen seen, void* user);

// rows x P images of the caller, without a gap between rows: its own memory, or a copy where the stride is larger.
class DenseImages {
 public:
  DenseImages(int64_t rows, const float* images, int64_t ld, int64_t pixels);
  const float* data() const { return data_; }

 private:
  std::vector<float> copy_;
  const float* data_;
};

// Labels as bytes; each must be a class.
std::vector<uint8_t> labels_of(const int32_t* labels, int64_t count, int64_t classes);

template <class From, class To>
void copy_to(const From& values, To* to) {
  if (to) std::copy(values.begin(), values.end(), to);
}

}  // namespace idelta::nn::api

#endif  // IDELTA_NN_API_WALL_H
