// sentence(parts...): the parts written one after another; fail(parts...): throws std::runtime_error of them.
#ifndef IDELTA_NN_ERROR_H
#define IDELTA_NN_ERROR_H

#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace idelta::nn {

template <class... Parts>
std::string sentence(const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  (text << ... << parts);
  return text.str();
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw std::runtime_error(sentence(parts...));
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_ERROR_H
