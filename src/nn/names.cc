#include "names.h"

#include <algorithm>

#include "error.h"
#include "packed_file.h"

namespace idelta::nn {
namespace {

constexpr size_t kMostBytes = 256;          // of a name
constexpr size_t kMostFileBytes = 1 << 20;  // of a file of them: 256 classes take far less

// Bytes of the UTF-8 sequence that the text begins with, 0 if there is none. Overlong forms and surrogates are none.
size_t sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool beyond = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || beyond ? 0 : bytes;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = sequence(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::vector<std::string> one_by_one(const std::string& characters) {
  std::vector<std::string> names;
  for (const char c : characters) names.emplace_back(1, c);
  return names;
}

}  // namespace

std::string unfit_as_name(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > kMostBytes) return sentence("has ", text.size(), " bytes, more than ", kMostBytes);
  const auto controls = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), controls)) return "holds a control character";
  return is_utf8(text) ? "" : "is not UTF-8";
}

std::string doubled_name(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  const auto found = std::adjacent_find(names.begin(), names.end());
  return found == names.end() ? "" : *found;
}

std::vector<std::string> read_class_names(const std::string& path) {
  PackedFile file(path);
  std::string text(kMostFileBytes + 1, '\0');
  text.resize(file.read(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  if (text.size() > kMostFileBytes) fail(path, ": is longer than a list of class names; give one name a line");
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  std::vector<std::string> names;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string name = text.substr(begin, end - begin);
    if (name.ends_with('\r')) name.pop_back();
    names.push_back(std::move(name));
    begin = end + 1;
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.empty()) fail(path, ": holds no class names; give one a line");
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string why = unfit_as_name(names[i]);
    if (!why.empty()) fail(path, ": line ", i + 1, " ", why, "; give one class name a line");
  }
  const std::string doubled = doubled_name(names);
  if (!doubled.empty()) fail(path, ": names the class '", doubled, "' twice; give each class its own name");
  return names;
}

void check_class_names(const std::string& path, const std::vector<std::string>& names, const std::string& data,
                       int64_t classes) {
  if (static_cast<int64_t>(names.size()) == classes) return;
  fail(path, ": has ", names.size(), " class names, but ", data, " has ", classes, " classes; give one a class");
}

std::vector<std::string> known_class_names(std::string_view set) {
  if (set == "fashion-mnist") {
    return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
  }
  if (set == "kmnist") return {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"};
  const std::string digits = "0123456789", capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (set == "emnist-letters") return one_by_one(capitals);
  if (set == "emnist-digits" || set == "emnist-mnist") return one_by_one(digits);
  // Small letters that look unlike their capitals; the others are of the capitals' classes.
  if (set == "emnist-balanced" || set == "emnist-bymerge") return one_by_one(digits + capitals + "abdefghnqrt");
  if (set == "emnist-byclass") return one_by_one(digits + capitals + "abcdefghijklmnopqrstuvwxyz");
  return {};
}

}  // namespace idelta::nn
