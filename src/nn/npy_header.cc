#include "npy_header.h"

#include <charconv>

#include "error.h"

namespace idelta::nn {
namespace {

constexpr size_t kMaxRank = 32;  // NumPy's own limit

// What Python's syntax needs of this one kind of dictionary: texts, True and False, whole numbers, a tuple of them.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // Takes the character if it is next, after blanks.
  bool take(char c) {
    skip_blanks();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void want(char c) {
    if (!take(c)) fail("its header is no dictionary of NumPy: '", std::string(1, c), "' is wanted at '", next(), "'");
  }

  std::string quoted() {
    skip_blanks();
    const char quote = text_.empty() ? '\0' : text_.front();
    const size_t end = quote == '\'' || quote == '"' ? text_.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) fail("its header is no dictionary of NumPy: a text is wanted at '", next(), "'");
    const std::string found(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return found;
  }

  bool is_at(char c) {
    skip_blanks();
    return text_.starts_with(c);
  }

  bool boolean() {
    skip_blanks();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return word == "True";
    }
    fail("its header says neither True nor False at '", next(), "'");
  }

  int64_t number() {
    skip_blanks();
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) fail("its header has no size of an array at '", next(), "'");
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return value;
  }

  bool at_end() {
    skip_blanks();
    return text_.empty();
  }

  // What follows, as a sentence may show it.
  std::string next() const {
    std::string shown(text_.substr(0, 16));
    for (char& c : shown) {
      if (c < 0x20 || c > 0x7e) c = '?';
    }
    return shown;
  }

 private:
  void skip_blanks() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n')) text_.remove_prefix(1);
  }

  std::string_view text_;
};

// '<f4': byte order, kind and bytes.
void read_type(const std::string& descr, NpyHeader& header) {
  const char order = descr.empty() ? '\0' : descr[0], kind = descr.size() > 1 ? descr[1] : '\0';
  if (kind == 'O') fail("holds Python objects; save numbers, with array.astype('float32')");
  const char bytes = descr.size() == 3 ? descr[2] : '\0';
  const bool wide = bytes == '4' || bytes == '8', narrow = bytes == '1' || bytes == '2';
  const bool known =
      (kind == 'b' && bytes == '1') || ((kind == 'u' || kind == 'i') && (wide || narrow)) || (kind == 'f' && wide);
  if (!known || (order != '<' && order != '>' && order != '|')) {
    fail("holds values of the type ", Scanner(descr).next(),
         "; integers, bool, float32 and float64 are read, so save array.astype('float32')");
  }
  header.big_endian = order == '>';
  header.kind = kind;
  header.bytes = static_cast<size_t>(bytes - '0');
}

std::vector<int64_t> read_shape(Scanner& scanner) {
  std::vector<int64_t> shape;
  scanner.want('(');
  while (!scanner.take(')')) {
    if (shape.size() == kMaxRank) fail("its header promises more than ", kMaxRank, " dimensions");
    shape.push_back(scanner.number());
    if (!scanner.is_at(')')) scanner.want(',');
  }
  return shape;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view text) {
  Scanner scanner(text);
  NpyHeader header;
  bool has_type = false, has_order = false, has_shape = false;
  scanner.want('{');
  while (!scanner.take('}')) {
    const std::string key = scanner.quoted();
    scanner.want(':');
    if (key == "descr" && !has_type) {
      if (!scanner.is_at('\'') && !scanner.is_at('"')) fail("holds records, not numbers; save one column as an array");
      read_type(scanner.quoted(), header);
      has_type = true;
    } else if (key == "fortran_order" && !has_order) {
      if (scanner.boolean()) {
        fail("is saved column by column (Fortran's order); save numpy.ascontiguousarray(array)");
      }
      has_order = true;
    } else if (key == "shape" && !has_shape) {
      header.shape = read_shape(scanner);
      has_shape = true;
    } else {
      fail("its header is no dictionary of NumPy: it has '", Scanner(key).next(), "' twice or without need");
    }
    if (!scanner.is_at('}')) scanner.want(',');
  }
  if (!has_type || !has_order || !has_shape) fail("its header lacks descr, fortran_order or shape");
  if (!scanner.at_end()) fail("its header goes on after its dictionary, at '", scanner.next(), "'");
  return header;
}

}  // namespace idelta::nn
