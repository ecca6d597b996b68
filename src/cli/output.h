// What verbs print: results on stdout, everything else on stderr.
#ifndef IDELTA_CLI_OUTPUT_H
#define IDELTA_CLI_OUTPUT_H

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace idelta::cli {

// Results, for people; flushed, so that they stay in order with stderr.
void print(const std::string& text);

// One JSON document on stdout. Strings that are not UTF-8 (file names) are repaired, not refused.
void print_json(const nlohmann::ordered_json& document);
std::string json_text(const nlohmann::ordered_json& document);

// A word of a command as a shell reads it: in quotes if it needs them.
std::string shell_word(const std::string& word);

// "idelta: warning: ..." on stderr.
void warn(const std::string& sentence);

// The reader of stdout has gone (`idelta eval ... | head -1`): no error worth a sentence.
struct NobodyReads {};

// Throws if anything printed to stdout did not arrive: NobodyReads, or an error (a full disk).
void finish_output();

}  // namespace idelta::cli

#endif  // IDELTA_CLI_OUTPUT_H
