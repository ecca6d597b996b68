// Classes, split and scaling of CSV files.
#include "csv_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "csv_classes.h"
#include "csv_table.h"
#include "draw.h"
#include "error.h"
#include "names.h"
#include "scaling.h"

namespace idelta::nn {
namespace {

using Rows = std::vector<size_t>;  // of a table, ascending

constexpr size_t kTestShare = 5;    // one row of so many is a test row
constexpr uint64_t kSplitSeed = 1;  // of every file and verb; models depend on it

// What the network or the training rows say of a set.
struct Frame {
  ClassIndex classes;
  Scaling scaling;
  std::vector<std::string> notes;
};

Rows all_rows(const CsvTable& table) {
  Rows rows(table.rows());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// A fifth of the rows of each class, rounded to the nearest; of a class with two rows or more at least one.
std::vector<bool> test_rows(const CsvTable& table) {
  std::vector<Rows> of_class(table.label_texts.size());
  for (size_t row = 0; row < table.rows(); ++row) of_class[table.labels[row]].push_back(row);
  std::vector<bool> is_test(table.rows());
  for (Rows& rows : of_class) {
    std::mt19937_64 random(kSplitSeed);
    const size_t share = (rows.size() + kTestShare / 2) / kTestShare;
    const size_t count = rows.size() < 2 ? 0 : std::max<size_t>(share, 1);
    for (size_t i = 0; i < count; ++i) {
      std::swap(rows[i], rows[i + uniform(random, rows.size() - i)]);
      is_test[rows[i]] = true;
    }
  }
  return is_test;
}

Rows rows_of(const std::vector<bool>& is_test, Split split) {
  Rows rows;
  for (size_t row = 0; row < is_test.size(); ++row) {
    if (is_test[row] == (split == Split::kTest)) rows.push_back(row);
  }
  return rows;
}

ClassIndex classes_of(const CsvTable& train, const LoadOptions& options) {
  if (options.network) {
    std::vector<std::string> names = options.network->class_names;
    for (int64_t c = 0; names.empty() && c < options.network->classes; ++c) names.push_back(std::to_string(c));
    return ClassIndex(std::move(names));
  }
  const std::vector<std::string> labels = classes_of_labels(train.label_texts);
  if (labels.size() < 2) {
    fail(train.path, ": every row has the label '", labels[0], "' in column '", train.columns.label,
         "', a single class, of which nothing can be learned; give rows of two classes or more, or another --label");
  }
  if (options.classes_path.empty()) return ClassIndex(labels);
  return ClassIndex(renamed_classes(options.classes_path, read_class_names(options.classes_path), train.path, labels));
}

Frame frame_of(const CsvTable& train, const Rows& rows, const LoadOptions& options) {
  Frame frame{classes_of(train, options), {}, {}};
  if (options.network) {
    frame.scaling = options.network->scaling;
    return frame;
  }
  const size_t features = train.columns.features.size();
  Ranges ranges(features);
  for (const size_t row : rows) ranges.see(std::span(train.values).subspan(row * features, features));
  frame.scaling = ranges.scaling(options.scale == Scale::kUsual ? Scale::kZeroToOne : options.scale);
  frame.notes = constant_features(train.path, frame.scaling, train.columns.features);
  return frame;
}

void scale(const CsvTable& table, size_t row, const Scaling& scaling, std::span<float> out) {
  const size_t features = out.size();
  scale_row(scaling, std::span(table.values).subspan(row * features, features), out.data());
  const auto found = std::find_if(out.begin(), out.end(), [](float v) { return !std::isfinite(v); });
  if (found == out.end()) return;
  const auto feature = static_cast<size_t>(found - out.begin());
  fail(place(table, row, feature), ": ", table.values[row * features + feature],
       " is so far from the training rows that it overflows once it is scaled; mend it, or leave the row out");
}

Dataset made(const CsvTable& table, Rows rows, const Frame& frame, const LoadOptions& options) {
  if (static_cast<int64_t>(rows.size()) > options.most) rows.resize(static_cast<size_t>(options.most));
  const size_t features = table.columns.features.size();
  Dataset data{.name = table.path,
               .count = static_cast<int64_t>(rows.size()),
               .height = 1,
               .width = static_cast<int64_t>(features),
               .classes = static_cast<int64_t>(frame.classes.names().size()),
               .images_path = table.path,
               .labels_path = table.path,
               .feature_names = table.columns.features,
               .class_names = frame.classes.names(),
               .label_name = table.columns.label,
               .scaling = frame.scaling,
               .notes = frame.notes};
  data.images.resize(rows.size() * features);
  for (size_t i = 0; i < rows.size(); ++i) {
    scale(table, rows[i], frame.scaling, std::span(data.images).subspan(i * features, features));
    const std::string& label = table.label_texts[table.labels[rows[i]]];
    const std::optional<uint8_t> found = frame.classes.find(label);
    if (!found) {
      fail(table.path, ": line ", table.lines[rows[i]], ", column ", table.columns.label_column + 1, " ('",
           table.columns.label, "'): '", label, "' is none of the ", data.classes, " classes of ",
           options.network ? "the model" : "the training rows", "; leave the row out, or train with such rows");
    }
    data.labels.push_back(*found);
  }
  return data;
}

const std::string& label_asked(const LoadOptions& options) {
  return options.label.empty() && options.network ? options.network->label_name : options.label;
}

void check_features(const CsvTable& table, const LoadOptions& options) {
  if (!options.network) return;
  const NetworkOptions& network = *options.network;
  const std::vector<std::string>& found = table.columns.features;
  const std::string names = feature_difference(network, found);
  const bool sizes = network.height == 1 && network.width == static_cast<int64_t>(found.size());
  if (sizes && names.empty()) return;
  const std::string why =
      names.empty() ? sentence("it has ", found.size(), " features, not ", network.pixels()) : names;
  fail(table.path, ": its columns are not those that the model was trained on: ", why,
       "; give the columns of the training set in its order");
}

}  // namespace

Dataset load_csv_file(const std::string& path, Split split, const LoadOptions& options) {
  const CsvTable table = read_csv_table(path, label_asked(options));
  check_features(table, options);
  const std::vector<bool> is_test = test_rows(table);
  const Frame frame = frame_of(table, rows_of(is_test, Split::kTrain), options);
  Rows rows = rows_of(is_test, split);
  if (rows.empty()) {
    fail(path, ": has no class of two rows or more, so that no row is left to test with; give more rows");
  }
  return made(table, std::move(rows), frame, options);
}

Dataset load_csv_pair(const std::string& train_path, const std::string& test_path, Split split,
                      const LoadOptions& options) {
  const CsvTable train =
      read_csv_table(split == Split::kTest && options.network ? test_path : train_path, label_asked(options));
  check_features(train, options);
  const Frame frame = frame_of(train, all_rows(train), options);
  if (split == Split::kTrain || options.network) return made(train, all_rows(train), frame, options);
  const CsvTable test = read_csv_table(test_path, train.columns.label);
  if (test.columns.features != train.columns.features) {
    NetworkOptions known;
    known.feature_names = train.columns.features;
    fail(test_path, ": its columns are not those of ", train_path, ": ",
         feature_difference(known, test.columns.features), "; give both files the same columns in the same order");
  }
  return made(test, all_rows(test), frame, options);
}

}  // namespace idelta::nn
