// See text.h.
#include "bench/text.h"

#include <cstdarg>
#include <cstdio>

namespace idelta::bench {

void append(std::string& text, const char* format, ...) {
  char piece[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(piece, sizeof piece, format, arguments);
  va_end(arguments);
  text += piece;
}

}  // namespace idelta::bench
