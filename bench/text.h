// Text that grows by pieces.
#pragma once

#include <string>

namespace idelta::bench {

// printf to the end of a text; 255 characters at most.
__attribute__((format(printf, 2, 3))) void append(std::string& text, const char* format, ...);

// "1 thread", "2 threads"
inline std::string threads_text(int threads) {
  return std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

}  // namespace idelta::bench
