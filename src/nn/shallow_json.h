// JSON texts of files that are not trusted. Whoever copies or shows a value recurses into it: a text that nests without
// end would use up the stack.
#ifndef IDELTA_NN_SHALLOW_JSON_H
#define IDELTA_NN_SHALLOW_JSON_H

#include <nlohmann/json.hpp>
#include <string>

#include "error.h"

namespace idelta::nn {

// Throws what nlohmann throws; or, for a text that nests deeper than `most_nested` (1: values side by side in one list)
// or holds a NUL, a sentence that begins with `subject`.
template <class Json>
Json parse_shallow(const std::string& text, int most_nested, const char* subject = "it ") {
  const auto shallow = [&](int depth, typename Json::parse_event_t, Json&) {
    if (depth > most_nested) fail(subject, "nests deeper than ", most_nested);
    return true;
  };
  if (text.find('\0') != std::string::npos) fail(subject, "holds a NUL");  // where the parser would end
  return Json::parse(text, shallow);
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_SHALLOW_JSON_H
