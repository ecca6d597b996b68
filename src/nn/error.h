// fail(parts...): throws std::runtime_error whose sentence is the parts written one after another.
#ifndef IDELTA_NN_ERROR_H
#define IDELTA_NN_ERROR_H

#include <locale>
#include <sstream>
#include <stdexcept>

namespace idelta::nn {

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream sentence;
  sentence.imbue(std::locale::classic());
  (sentence << ... << parts);
  throw std::runtime_error(sentence.str());
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_ERROR_H
