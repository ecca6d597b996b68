// What a reader may do with any input at all.
#pragma once

#include <cstdlib>
#include <exception>

namespace idelta_fuzz {

// read() comes back, or throws a sentence.
template <class Read>
void reads_or_says_why(const Read& read) {
  try {
    read();
  } catch (const std::exception& e) {
    if (*e.what() == '\0') std::abort();
  }
}

}  // namespace idelta_fuzz
