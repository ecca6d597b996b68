// Text for a terminal: formatted strings, columns that line up whatever the bytes of a character, small bars.
#ifndef IDELTA_CLI_TABLE_H
#define IDELTA_CLI_TABLE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace idelta::cli {

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

// Columns that a UTF-8 string takes, counting a code point as one (true of all that this program prints itself).
int64_t display_width(std::string_view text);

// "60000" -> "60 000".
std::string grouped(int64_t number);

// "12.3 s", "2 min 05 s", "1 h 02 min".
std::string duration(double seconds);

// A bar of at most `width` columns for a fraction in [0, 1], in eighths of a column; not padded.
std::string bar(double fraction, int64_t width);

// Columns of the terminal behind a file descriptor; `otherwise` if it is none.
int64_t terminal_width(int descriptor, int64_t otherwise);

enum class Align { kLeft, kRight };

class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns.
  void add(std::vector<std::string> cells);

  // Title line, rule and rows, indented by two, columns two apart, no blanks at the ends of lines.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "name   value" lines with the values in one column.
class Listing {
 public:
  void add(std::string name, std::string value) { lines_.push_back({std::move(name), std::move(value)}); }
  std::string text() const;

 private:
  struct Line {
    std::string name, value;
  };
  std::vector<Line> lines_;
};

}  // namespace idelta::cli

#endif  // IDELTA_CLI_TABLE_H
