// Reader of CSV files as RFC 4180 has them, plain or gzipped, one record at a time:
//
//   a record ends with LF or CRLF, the last one also with the file; a UTF-8 byte order mark at the start is skipped
//   fields are separated by commas; one that begins with " ends with ", and may hold commas, line ends and "" for a "
//   blanks around a field do not count, nor do empty lines
#ifndef IDELTA_NN_CSV_H
#define IDELTA_NN_CSV_H

#include <cstdint>
#include <string>
#include <vector>

#include "packed_file.h"

namespace idelta::nn {

class CsvReader {
 public:
  explicit CsvReader(const std::string& path);

  // The next record; false at the end of the file. Throws a sentence with file, line and column for bad quotes.
  bool next(std::vector<std::string>& fields);

  const std::string& path() const { return path_; }
  int64_t line() const { return line_; }  // where the last record began, from 1

 private:
  int peek();
  int get();
  // One field and what ends it: the byte after it, a comma, an end of line or the end of the file, which is returned.
  int read_field(std::string& field);
  int read_plain(std::string& field);
  int read_quoted(std::string& field);
  void append(std::string& field, int byte) const;
  [[noreturn]] void fail_here(const char* why) const;

  std::string path_;
  PackedFile file_;
  std::vector<uint8_t> buffer_;
  size_t position_ = 0, filled_ = 0;  // in the buffer
  int64_t line_ = 0, next_line_ = 1;
  size_t column_ = 0;  // of the field that is being read, from 1
  bool quoted_ = false;
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_CSV_H
