// Which class a label of a CSV file is: labels are texts, classes are 0 to C - 1.
#ifndef IDELTA_NN_CSV_CLASSES_H
#define IDELTA_NN_CSV_CLASSES_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "idelta/nn.hpp"

namespace idelta::nn {

// The classes of a training set's labels, in order: by their value if all are whole numbers, else by their bytes, which
// is the order of code points. The label is the name.
std::vector<std::string> classes_of_labels(std::vector<std::string> labels);

// Names for classes that labels gave, read from the file `path`: the labels themselves in another order; or a name for
// each of the labels 0 to C - 1. Throws for others.
std::vector<std::string> renamed_classes(const std::string& path, const std::vector<std::string>& names,
                                         const std::string& data, const std::vector<std::string>& labels);

// The class of a label: of that name; or of that number, if no name is a number.
class ClassIndex {
 public:
  explicit ClassIndex(std::vector<std::string> names);
  std::optional<uint8_t> find(const std::string& label) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  bool numbered_ = true;  // labels may be numbers of classes
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_CSV_CLASSES_H
