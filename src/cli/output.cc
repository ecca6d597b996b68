// stdio throughout: one buffer, one error flag.
#include "output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace idelta::cli {

namespace {
int first_error = 0;  // of stdout
}

void print(const std::string& text) {
  const bool printed = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!printed && first_error == 0) first_error = errno;
}

std::string json_text(const nlohmann::ordered_json& document) {
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void print_json(const nlohmann::ordered_json& document) { print(json_text(document)); }

std::string shell_word(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\n'\"\\$&;|<>()*?[]{}`~#!") == std::string::npos) return word;
  std::string escaped;
  for (const char c : word) escaped += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "'" + escaped + "'";
}

void warn(const std::string& sentence) { std::fprintf(stderr, "idelta: warning: %s\n", sentence.c_str()); }

void finish_output() {
  if (first_error == 0) return;
  if (first_error == EPIPE) throw NobodyReads();
  throw std::runtime_error(std::string("cannot write to standard output: ") + std::strerror(first_error));
}

}  // namespace idelta::cli
