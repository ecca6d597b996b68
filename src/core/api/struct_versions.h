// Structs of earlier headers, told by struct_size, are filled up from INIT.
//
// To add a field: put it at the end of its struct in idelta.h and its default into INIT. Below, add its offset to the
// struct's `older` and the new size to the struct's assert.
#ifndef IDELTA_CORE_API_STRUCT_VERSIONS_H
#define IDELTA_CORE_API_STRUCT_VERSIONS_H

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "idelta/idelta.h"
#include "src/core/base/error.h"

namespace idelta::core {

// Of a struct that begins with struct_size: its INIT, that macro's name, and its earlier sizes, oldest first.
template <class Struct, size_t kOlder>
struct Versions {
  Struct init;
  const char* name;
  std::array<size_t, kOlder> older;
};

template <class Struct>
inline constexpr std::nullptr_t versions_of = nullptr;
template <>
inline constexpr Versions<idelta_context_options, 0> versions_of<idelta_context_options> = {
    IDELTA_CONTEXT_OPTIONS_INIT, "IDELTA_CONTEXT_OPTIONS_INIT", {}};
template <>
inline constexpr Versions<idelta_delta_options, 1> versions_of<idelta_delta_options> = {
    IDELTA_DELTA_OPTIONS_INIT, "IDELTA_DELTA_OPTIONS_INIT", {offsetof(idelta_delta_options, rank)}};
template <>
inline constexpr Versions<idelta_delta_info_t, 1> versions_of<idelta_delta_info_t> = {
    IDELTA_DELTA_INFO_INIT, "IDELTA_DELTA_INFO_INIT", {offsetof(idelta_delta_info_t, rank)}};
template <>
inline constexpr Versions<idelta_forward_args, 1> versions_of<idelta_forward_args> = {
    IDELTA_FORWARD_ARGS_INIT, "IDELTA_FORWARD_ARGS_INIT", {offsetof(idelta_forward_args, row_error)}};
template <>
inline constexpr Versions<idelta_backward_data_args, 0> versions_of<idelta_backward_data_args> = {
    IDELTA_BACKWARD_DATA_ARGS_INIT, "IDELTA_BACKWARD_DATA_ARGS_INIT", {}};
template <>
inline constexpr Versions<idelta_backward_weights_args, 0> versions_of<idelta_backward_weights_args> = {
    IDELTA_BACKWARD_WEIGHTS_ARGS_INIT, "IDELTA_BACKWARD_WEIGHTS_ARGS_INIT", {}};
template <>
inline constexpr Versions<idelta_optimizer, 0> versions_of<idelta_optimizer> = {
    IDELTA_OPTIMIZER_INIT, "IDELTA_OPTIMIZER_INIT", {}};
template <>
inline constexpr Versions<idelta_update_args, 0> versions_of<idelta_update_args> = {
    IDELTA_UPDATE_ARGS_INIT, "IDELTA_UPDATE_ARGS_INIT", {}};

template <>
inline constexpr Versions<idelta_low_rank_proof, 0> versions_of<idelta_low_rank_proof> = {
    IDELTA_LOW_RANK_PROOF_INIT, "IDELTA_LOW_RANK_PROOF_INIT", {}};

// All sizes of a struct so far, today's last.
template <class Struct>
constexpr auto sizes_of() {
  constexpr size_t kOlder = versions_of<Struct>.older.size();
  std::array<size_t, kOlder + 1> sizes{};
  for (size_t i = 0; i < kOlder; ++i) sizes[i] = versions_of<Struct>.older[i];
  sizes[kOlder] = sizeof(Struct);
  return sizes;
}
template <class Struct, size_t... kSizes>
constexpr bool kHadSizes = sizeof(void*) != 8 || sizes_of<Struct>() == std::array<size_t, sizeof...(kSizes)>{kSizes...};

// Sizes on 64-bit machines; a list only grows. They also show that no field was put into tail padding, which an older
// caller leaves undefined.
static_assert(kHadSizes<idelta_context_options, 40>);
static_assert(kHadSizes<idelta_delta_options, 32, 40>);
static_assert(kHadSizes<idelta_delta_info_t, 104, 112>);
static_assert(kHadSizes<idelta_low_rank_proof, 40>);
static_assert(kHadSizes<idelta_forward_args, 96, 112>);
static_assert(kHadSizes<idelta_backward_data_args, 104>);
static_assert(kHadSizes<idelta_backward_weights_args, 112>);
static_assert(kHadSizes<idelta_optimizer, 40>);
static_assert(kHadSizes<idelta_update_args, 136>);

template <class Struct>
constexpr bool is_older_size(size_t size) {
  for (const size_t known : versions_of<Struct>.older) {
    if (size == known) return true;
  }
  return false;
}

[[noreturn]] void refuse_struct(const char* name, size_t given, size_t own, const char* init);

// A caller's struct: used in place if it has today's size, copied and filled up if it is older, else refused.
template <class Struct>
class Given {
 public:
  Given(const Struct* given, const char* name) : used_(given) {
    if (!given) throw Failure(IDELTA_INVALID_ARGUMENT, std::string(name) + " is null");
    const size_t size = given->struct_size;
    if (size == sizeof(Struct)) [[likely]]
      return;
    if (!is_older_size<Struct>(size)) refuse_struct(name, size, sizeof(Struct), versions_of<Struct>.name);
    filled_ = versions_of<Struct>.init;
    std::memcpy(reinterpret_cast<char*>(&filled_) + sizeof(size_t),
                reinterpret_cast<const char*>(given) + sizeof(size_t), size - sizeof(size_t));
    used_ = &filled_;
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

  const Struct& operator*() const { return *used_; }

 private:
  const Struct* used_;
  union {
    Struct filled_;  // only if the caller's is older: other calls write nothing
  };
};

// Copies as much of `value` as the caller's struct has room for; its struct_size stays.
template <class Struct>
void give(const Struct& value, Struct* to) {
  std::memcpy(reinterpret_cast<char*>(to) + sizeof(size_t), reinterpret_cast<const char*>(&value) + sizeof(size_t),
              to->struct_size - sizeof(size_t));
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_STRUCT_VERSIONS_H
