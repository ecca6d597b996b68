#include "csv.h"

#include <string_view>

#include "check_data.h"
#include "error.h"

namespace idelta::nn {
namespace {

constexpr int kEnd = -1;
constexpr size_t kBufferBytes = size_t{1} << 17;
constexpr size_t kMostFieldBytes = size_t{1} << 16;  // a longer one is a quote that is not closed, or no CSV
constexpr size_t kMostFields = kMostInputs;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank(int byte) { return byte == ' ' || byte == '\t' || byte == '\r'; }
bool ends_field(int byte) { return byte == ',' || byte == '\n' || byte == kEnd; }

}  // namespace

CsvReader::CsvReader(const std::string& path) : path_(path), file_(path), buffer_(kBufferBytes) {
  peek();
  const std::string_view start(reinterpret_cast<const char*>(buffer_.data()), filled_);
  if (start.starts_with(kByteOrderMark)) position_ = kByteOrderMark.size();
}

int CsvReader::peek() {
  if (position_ == filled_) {
    filled_ = file_.read(buffer_.data(), buffer_.size());
    position_ = 0;
  }
  return position_ < filled_ ? buffer_[position_] : kEnd;
}

int CsvReader::get() {
  const int byte = peek();
  if (byte != kEnd) ++position_;
  if (byte == '\n') ++next_line_;
  return byte;
}

void CsvReader::fail_here(const char* why) const { fail(path_, ": line ", line_, ", column ", column_, ": ", why); }

void CsvReader::append(std::string& field, int byte) const {
  if (field.size() == kMostFieldBytes) {
    fail_here("the field is longer than any name or number; close its quotes, or give a CSV file");
  }
  field += static_cast<char>(byte);
}

int CsvReader::read_plain(std::string& field) {
  int byte = get();
  for (; !ends_field(byte); byte = get()) {
    if (byte == '"') fail_here("a quote stands inside a field; put the field into quotes and write the quote twice");
    append(field, byte);
  }
  while (!field.empty() && is_blank(field.back())) field.pop_back();
  return byte;
}

int CsvReader::read_quoted(std::string& field) {
  get();  // the quote that opens
  for (;;) {
    const int byte = get();
    if (byte == kEnd) fail_here("the quote that begins the field is not closed; close it");
    if (byte == '"' && peek() != '"') break;
    if (byte == '"') get();
    append(field, byte);
  }
  int byte = get();
  while (is_blank(byte)) byte = get();
  if (!ends_field(byte)) fail_here("the field goes on after its closing quote; write a quote inside it twice");
  return byte;
}

int CsvReader::read_field(std::string& field) {
  field.clear();
  while (is_blank(peek())) get();
  quoted_ = peek() == '"';
  return quoted_ ? read_quoted(field) : read_plain(field);
}

bool CsvReader::next(std::vector<std::string>& fields) {
  for (;;) {
    if (peek() == kEnd) return false;
    line_ = next_line_;
    column_ = 0;
    int end = ',';
    while (end == ',') {
      if (column_ == kMostFields) fail_here("the record has more fields than a network has inputs; give a CSV file");
      if (fields.size() == column_) fields.emplace_back();
      std::string& field = fields[column_++];
      end = read_field(field);
    }
    fields.resize(column_);
    if (column_ > 1 || quoted_ || !fields[0].empty()) return true;
  }
}

}  // namespace idelta::nn
