// Structs of earlier headers, told by struct_size, are filled up from INIT.
//
// To add a field: put it at the end of its struct in include/idelta/ and its default into INIT. Below, if the struct
// has not grown since the last release, add the field's offset to its `older` and the new size to its `sizes`; else the
// new size takes the place of the last one.
#ifndef IDELTA_CORE_API_STRUCT_VERSIONS_H
#define IDELTA_CORE_API_STRUCT_VERSIONS_H

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>

#include "idelta/idelta.h"
#include "src/core/base/error.h"

namespace idelta::core {

// Of a struct that begins with struct_size: its INIT, that macro's name, and its sizes in earlier releases. Then all
// its sizes on 64-bit machines, today's last, which show that no field was put into tail padding: an older caller
// leaves that undefined. With releases lists only grow.
constexpr size_t kMostSizes = 4;
template <class Struct>
struct Versions {
  Struct init;
  const char* name;
  std::array<size_t, kMostSizes> older;
  std::array<size_t, kMostSizes> sizes;

  constexpr bool was(size_t size) const {
    return size != 0 && std::find(older.begin(), older.end(), size) != older.end();
  }
  constexpr bool had_sizes() const {
    std::array<size_t, kMostSizes> all = older;
    *std::find(all.begin(), all.end(), size_t{0}) = sizeof(Struct);
    return sizeof(void*) != 8 || all == sizes;
  }
};

// Of each struct of an ABI. Those of idelta.h follow; libraries above this one add theirs.
template <class Struct>
extern const Versions<Struct> versions_of;

template <>
inline constexpr Versions<idelta_context_options> versions_of<idelta_context_options>{
    IDELTA_CONTEXT_OPTIONS_INIT, "IDELTA_CONTEXT_OPTIONS_INIT", {}, {40}};
template <>
inline constexpr Versions<idelta_delta_options> versions_of<idelta_delta_options>{
    IDELTA_DELTA_OPTIONS_INIT, "IDELTA_DELTA_OPTIONS_INIT", {offsetof(idelta_delta_options, rank)}, {32, 80}};
template <>
inline constexpr Versions<idelta_candidate> versions_of<idelta_candidate>{
    IDELTA_CANDIDATE_INIT, "IDELTA_CANDIDATE_INIT", {}, {72}};
template <>
inline constexpr Versions<idelta_delta_info_t> versions_of<idelta_delta_info_t>{
    IDELTA_DELTA_INFO_INIT, "IDELTA_DELTA_INFO_INIT", {offsetof(idelta_delta_info_t, rank)}, {104, 136}};
template <>
inline constexpr Versions<idelta_low_rank_proof> versions_of<idelta_low_rank_proof>{
    IDELTA_LOW_RANK_PROOF_INIT, "IDELTA_LOW_RANK_PROOF_INIT", {}, {48}};
template <>
inline constexpr Versions<idelta_forward_args> versions_of<idelta_forward_args>{
    IDELTA_FORWARD_ARGS_INIT, "IDELTA_FORWARD_ARGS_INIT", {offsetof(idelta_forward_args, row_error)}, {96, 112}};
template <>
inline constexpr Versions<idelta_backward_data_args> versions_of<idelta_backward_data_args>{
    IDELTA_BACKWARD_DATA_ARGS_INIT, "IDELTA_BACKWARD_DATA_ARGS_INIT", {}, {104}};
template <>
inline constexpr Versions<idelta_backward_weights_args> versions_of<idelta_backward_weights_args>{
    IDELTA_BACKWARD_WEIGHTS_ARGS_INIT, "IDELTA_BACKWARD_WEIGHTS_ARGS_INIT", {}, {112}};
template <>
inline constexpr Versions<idelta_optimizer> versions_of<idelta_optimizer>{
    IDELTA_OPTIMIZER_INIT, "IDELTA_OPTIMIZER_INIT", {}, {40}};
template <>
inline constexpr Versions<idelta_update_args> versions_of<idelta_update_args>{
    IDELTA_UPDATE_ARGS_INIT, "IDELTA_UPDATE_ARGS_INIT", {}, {136}};

[[noreturn]] inline void refuse_struct(const char* name, size_t given, size_t own, const char* init) {
  const std::string sizes = std::string(name) + "->struct_size = " + std::to_string(given) +
                            ", but this library's is " + std::to_string(own) + "; ";
  throw Failure(IDELTA_INVALID_ARGUMENT,
                sizes + (given > own ? "it was made for a newer idelta than " + std::string(idelta_version()) +
                                           ": link that one, or compile with this one's header"
                                     : "no header of idelta had that size: start from " + std::string(init)));
}

// A caller's struct: used in place if it has today's size, copied and filled up if it is older, else refused.
template <class Struct>
class Given {
 public:
  static_assert(versions_of<Struct>.had_sizes());

  Given(const Struct* given, const char* name) : used_(given) {
    if (!given) throw Failure(IDELTA_INVALID_ARGUMENT, std::string(name) + " is null");
    const size_t size = given->struct_size;
    if (size == sizeof(Struct)) [[likely]]
      return;
    if (!versions_of<Struct>.was(size)) refuse_struct(name, size, sizeof(Struct), versions_of<Struct>.name);
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

// Of an array that a caller compiled: its elements are as far apart as the caller's struct is large.
template <class Struct>
Struct* element_at(Struct* first, size_t i) {
  using Byte = std::conditional_t<std::is_const_v<Struct>, const char, char>;
  return reinterpret_cast<Struct*>(reinterpret_cast<Byte*>(first) + i * first->struct_size);
}

// Copies as much of `value` as the caller's struct has room for; its struct_size stays.
template <class Struct>
void give(const Struct& value, Struct* to) {
  std::memcpy(reinterpret_cast<char*>(to) + sizeof(size_t), reinterpret_cast<const char*>(&value) + sizeof(size_t),
              to->struct_size - sizeof(size_t));
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_STRUCT_VERSIONS_H
