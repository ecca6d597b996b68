#include "csv_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "check_data.h"
#include "csv.h"
#include "error.h"
#include "names.h"

namespace idelta::nn {
namespace {

// A field as a sentence may show it.
std::string shown(const std::string& field) {
  constexpr size_t kShown = 40;
  const std::string text = field.substr(0, kShown) + (field.size() > kShown ? "..." : "");
  return unfit_as_name(text).empty() ? "'" + text + "'" : "a text that " + unfit_as_name(field.substr(0, kShown));
}

bool parse(const std::string& field, double& value) {
  const char *begin = field.data(), *const end = begin + field.size();
  if (begin != end && *begin == '+' && field.size() > 1 && begin[1] != '-') ++begin;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error == std::errc::result_out_of_range) value = std::numeric_limits<double>::infinity();
  return stop == end && begin != end && error != std::errc::invalid_argument;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kListed = 12;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kListed); ++i) text += (i == 0 ? "'" : ", '") + names[i] + "'";
  return names.size() > kListed ? text + sentence(" and ", names.size() - kListed, " more") : text;
}

// Names that are numbers are the first row of a file without names, unless they count the columns.
void check_not_numbers(const std::string& path, const std::vector<std::string>& names) {
  for (size_t c = 0; c < names.size(); ++c) {
    double value = 0;
    if (!parse(names[c], value) || value == static_cast<double>(c) || value == static_cast<double>(c + 1)) continue;
    fail(path, ": line 1, column ", c + 1, " is named ", shown(names[c]),
         ", a number; the first line must name the columns, so write one with names above the rows");
  }
}

void check_names(const std::string& path, const std::vector<std::string>& names) {
  if (names.size() < 2) {
    const bool other = names[0].find_first_of(";\t|") != std::string::npos;
    fail(path, ": line 1 has one column; ",
         other ? "separate columns by commas, not by what stands there" : "give columns of features and one of labels");
  }
  for (size_t c = 0; c < names.size(); ++c) {
    const std::string why = unfit_as_name(names[c]);
    if (!why.empty()) {
      fail(path, ": line 1, column ", c + 1, ": the name ", why,
           "; give each column a name of its own, or remove the column");
    }
  }
  check_not_numbers(path, names);
  const std::string doubled = doubled_name(names);
  if (!doubled.empty()) fail(path, ": line 1 names two columns '", doubled, "'; give each a name of its own");
}

bool is_usual_label(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name == "label" || name == "class" || name == "target";
}

size_t label_column(const std::string& path, const std::vector<std::string>& names, const std::string& label) {
  if (!label.empty()) {
    const auto found = std::find(names.begin(), names.end(), label);
    if (found != names.end()) return static_cast<size_t>(found - names.begin());
    fail(path, ": line 1 names no column '", label, "', which holds the labels; its columns are ", listed(names));
  }
  const auto usual = std::find_if(names.begin(), names.end(), is_usual_label);
  if (usual == names.end()) return names.size() - 1;
  const auto other = std::find_if(usual + 1, names.end(), is_usual_label);
  if (other != names.end()) {
    fail(path, ": line 1 names the columns '", *usual, "' and '", *other,
         "', and either may hold the labels; say which one does (--label NAME)");
  }
  return static_cast<size_t>(usual - names.begin());
}

CsvColumns read_columns(CsvReader& file, const std::string& label) {
  std::vector<std::string> names;
  if (!file.next(names)) fail(file.path(), ": is empty; give a line of column names, and rows");
  check_names(file.path(), names);
  CsvColumns columns;
  columns.label_column = label_column(file.path(), names, label);
  columns.label = names[columns.label_column];
  columns.features = std::move(names);
  columns.features.erase(columns.features.begin() + static_cast<std::ptrdiff_t>(columns.label_column));
  return columns;
}

std::string place(const std::string& path, int64_t line, size_t column, const std::string& name) {
  return sentence(path, ": line ", line, ", column ", column + 1, " ('", name, "')");
}

double number(const CsvReader& file, const CsvTable& table, const std::string& field, size_t feature) {
  double value = 0;
  const bool parsed = parse(field, value);
  if (parsed && std::fabs(value) <= double{std::numeric_limits<float>::max()}) return value;
  const std::string at =
      place(file.path(), file.line(), table.columns.column_of(feature), table.columns.features[feature]);
  if (field.empty()) fail(at, " is empty; give a number, or leave the row out");
  if (!parsed) {
    fail(at, ": ", shown(field), " is not a number; give one with a decimal point, or leave the column out");
  }
  fail(at, ": ", shown(field), " is not a finite number that fp32 holds; give one, or leave the row out");
}

// The index of a label's text, which is kept if it is new.
uint8_t label_of(const CsvReader& file, CsvTable& table, std::map<std::string, uint8_t>& known,
                 const std::string& field) {
  const auto found = known.find(field);
  if (found != known.end()) return found->second;
  const std::string why = unfit_as_name(field);
  const auto at = [&] { return place(file.path(), file.line(), table.columns.label_column, table.columns.label); };
  if (!why.empty()) fail(at(), ": the label ", why, "; give the name or the number of a class");
  if (known.size() == size_t{kMostClasses}) {
    fail(at(), ": ", shown(field), " is class ", kMostClasses + 1, ", and at most ", kMostClasses,
         " are possible, since labels are bytes; is this the column of the labels (--label NAME)?");
  }
  table.label_texts.push_back(field);
  return known[field] = static_cast<uint8_t>(table.label_texts.size() - 1);
}

}  // namespace

std::string place(const CsvTable& table, size_t row, size_t feature) {
  return place(table.path, table.lines[row], table.columns.column_of(feature), table.columns.features[feature]);
}

CsvTable read_csv_table(const std::string& path, const std::string& label) {
  CsvReader file(path);
  CsvTable table{path, read_columns(file, label), {}, {}, {}, {}};
  const size_t features = table.columns.features.size();
  std::map<std::string, uint8_t> known;
  std::vector<std::string> fields;
  while (file.next(fields)) {
    if (fields.size() != features + 1) {
      fail(path, ": line ", file.line(), " has ", fields.size(), fields.size() == 1 ? " field" : " fields",
           ", but line 1 names ", features + 1, " columns; mend the line (a field with a comma in it wants quotes)");
    }
    for (size_t f = 0; f < features; ++f) {
      table.values.push_back(number(file, table, fields[table.columns.column_of(f)], f));
    }
    table.labels.push_back(label_of(file, table, known, fields[table.columns.label_column]));
    table.lines.push_back(file.line());
  }
  if (table.rows() == 0) fail(path, ": has names of columns but no rows; give some");
  return table;
}

}  // namespace idelta::nn
