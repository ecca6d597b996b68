// The environment variables that idelta reads, and the one way to read them. An empty variable is unset. A value that
// is not allowed is an error that names the variable, the value and the allowed ones.
//
// To add a variable: its line here and in kVariables; `idelta --help` and the errors take their words from it.
#ifndef IDELTA_CORE_MACHINE_ENVIRONMENT_H
#define IDELTA_CORE_MACHINE_ENVIRONMENT_H

#include <cstdint>
#include <cstdlib>
#include <optional>

namespace idelta {

struct Variable {
  const char* name;
  const char* values;   // the allowed ones, as they follow "is not"
  const char* meaning;  // a line of at most 70 columns
};

inline constexpr Variable kIsaVariable = {"IDELTA_ISA", "auto, scalar, avx2, avx512 or amx",
                                          "instruction set, where the caller leaves the choice"};
inline constexpr Variable kAmxVariable = {"IDELTA_AMX", "refused",
                                          "AMX does not run, as if the operating system had refused it"};
inline constexpr Variable kBf16Variable = {"IDELTA_BF16", "auto, widened or rounded",
                                           "how format bf16 is multiplied, where the caller leaves the choice"};
inline constexpr Variable kThreadsVariable = {"IDELTA_THREADS", "a whole number from 1 to 2147483647",
                                              "at most so many threads, where the caller leaves the choice"};
inline constexpr Variable kSpinVariable = {"IDELTA_SPIN_US", "a whole number from 0 to 2147483647",
                                           "microseconds that idle threads spin before they sleep"};
inline constexpr Variable kBindVariable = {"IDELTA_BIND", "0 or 1",
                                           "1: bind threads to caches and NUMA nodes, and cut work along them"};
inline constexpr Variable kCachesVariable = {"IDELTA_CACHES", "three sizes in bytes, as 32768,1048576,0",
                                             "L1, L2 and L3 of a core in place of the machine's, for tests"};
inline constexpr Variable kDataVariable = {"IDELTA_DATA", "a folder of data sets",
                                           "where fashion-mnist is, in place of Debian's package"};

inline constexpr Variable kVariables[] = {kIsaVariable,  kAmxVariable,  kBf16Variable,   kThreadsVariable,
                                          kSpinVariable, kBindVariable, kCachesVariable, kDataVariable};

// The value of any variable; null if it is unset or empty.
inline const char* environment(const char* name) {
  const char* const text = std::getenv(name);
  return text && *text ? text : nullptr;
}
inline const char* environment(const Variable& variable) { return environment(variable.name); }

namespace core {

// Throws the Failure for a value that is not allowed.
[[noreturn]] void refuse(const Variable& variable, const char* text);

// The value as a whole number from `least` to INT32_MAX; none if it is unset. Throws Failure.
std::optional<int32_t> environment_number(const Variable& variable, int32_t least);

}  // namespace core
}  // namespace idelta

#endif  // IDELTA_CORE_MACHINE_ENVIRONMENT_H
