// A CSV file as numbers and labels: its first line names the columns, one of them holds the labels.
#ifndef IDELTA_NN_CSV_TABLE_H
#define IDELTA_NN_CSV_TABLE_H

#include <cstdint>
#include <string>
#include <vector>

#include "idelta/nn.hpp"

namespace idelta::nn {

struct CsvColumns {
  std::vector<std::string> features;
  std::string label;
  size_t label_column = 0;  // from 0, among all columns of the file

  size_t column_of(size_t feature) const { return feature + (feature >= label_column ? 1 : 0); }
};

struct CsvTable {
  std::string path;
  CsvColumns columns;
  std::vector<double> values;            // rows x features
  std::vector<uint8_t> labels;           // indices into label_texts
  std::vector<std::string> label_texts;  // distinct, in the order in which the file has them
  std::vector<int64_t> lines;            // of the file, where each row begins

  size_t rows() const { return labels.size(); }
};

// Reads the whole file. The labels are in the column named `label`; if that is empty, in the one named label, class or
// target in any case, or else in the last one. Throws a sentence with file, line and column for what cannot be.
CsvTable read_csv_table(const std::string& path, const std::string& label);

// "FILE: line 7, column 3 ('petal length')" of an entry.
std::string place(const CsvTable& table, size_t row, size_t feature);

}  // namespace idelta::nn

#endif  // IDELTA_NN_CSV_TABLE_H
