// Widths are counted in code points: bytes would shift every column that holds a norm sign or a subscript.
#include "table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace idelta::cli {
namespace {

std::string padded(const std::string& text, int64_t width, Align align) {
  const std::string blanks(static_cast<size_t>(std::max<int64_t>(0, width - display_width(text))), ' ');
  return align == Align::kLeft ? text + blanks : blanks + text;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::string format(const char* pattern, ...) {
  va_list arguments, again;
  va_start(arguments, pattern);
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, pattern, arguments);
  va_end(arguments);
  std::string text(static_cast<size_t>(std::max(0, size)), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

int64_t display_width(std::string_view text) {
  // Every byte but the continuation bytes 10xxxxxx starts a code point.
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const int64_t first = number < 0 ? 1 : 0;
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > first; at -= 3) digits.insert(size_t(at), 1, ' ');
  return digits;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 59.95) return format("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  if (whole < 3600) return format("%lld min %02lld s", (long long)(whole / 60), (long long)(whole % 60));
  return format("%lld h %02lld min", (long long)(whole / 3600), (long long)(whole % 3600 / 60));
}

std::string bar(double fraction, int64_t width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!(fraction > 0)) return "";
  const int64_t eighths = std::lround(std::min(fraction, 1.0) * static_cast<double>(width * 8));
  std::string text;
  for (int64_t i = 0; i < eighths / 8; ++i) text += "█";
  return text + kEighths[eighths % 8];
}

int64_t terminal_width(int descriptor, int64_t otherwise) {
  winsize size{};
  if (!isatty(descriptor) || ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return otherwise;
  return size.ws_col;
}

void Table::add(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) throw std::logic_error("Table::add: a row needs a cell for every column");
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<int64_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    int64_t width = display_width(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
  }
  std::string titles, rule, body;
  for (size_t c = 0; c < columns_.size(); ++c) {
    titles += "  " + padded(columns_[c].title, widths[c], columns_[c].align);
    rule += "  ";
    for (int64_t i = 0; i < widths[c]; ++i) rule += "─";
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) line += "  " + padded(row[c], widths[c], columns_[c].align);
    body += without_trailing_blanks(std::move(line)) + "\n";
  }
  return without_trailing_blanks(std::move(titles)) + "\n" + rule + "\n" + body;
}

std::string Listing::text() const {
  int64_t width = 0;
  for (const Line& line : lines_) width = std::max(width, display_width(line.name));
  std::string text;
  for (const Line& line : lines_) {
    text += without_trailing_blanks("  " + padded(line.name, width, Align::kLeft) + "  " + line.value) + "\n";
  }
  return text;
}

}  // namespace idelta::cli
