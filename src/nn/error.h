// sentence(parts...): the parts written one after another; fail(parts...): throws std::runtime_error of them;
// shape_text(sizes): the sizes of an array, for either.
#ifndef IDELTA_NN_ERROR_H
#define IDELTA_NN_ERROR_H

#include <cstdint>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace idelta::nn {

template <class... Parts>
std::string sentence(const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.exceptions(std::ios::badbit);  // a stream would swallow lack of memory, and half a sentence be left
  (text << ... << parts);
  return text.str();
}

// "[28, 28]"
inline std::string shape_text(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const int64_t size : sizes) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw std::runtime_error(sentence(parts...));
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_ERROR_H
