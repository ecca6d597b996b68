// Names of features and classes: texts that programs show, so that not every text is one.
#ifndef IDELTA_NN_NAMES_H
#define IDELTA_NN_NAMES_H

#include <string>
#include <string_view>
#include <vector>

namespace idelta::nn {

// Why a text cannot be a name, as "is empty"; empty if it can: UTF-8 of 1 to 256 bytes without control characters.
std::string unfit_as_name(std::string_view text);

// The first name that is there twice; empty if none is.
std::string doubled_name(std::vector<std::string> names);

// The lines of a text file of class names, one a line; blank lines at its end do not count.
std::vector<std::string> read_class_names(const std::string& path);

// Throws unless there is a name of each of `classes` classes. `path` is the file they are from, `data` the set.
void check_class_names(const std::string& path, const std::vector<std::string>& names, const std::string& data,
                       int64_t classes);

// Those of a data set that has no file of them but is known by its name: "fashion-mnist", "kmnist", and those
// of EMNIST, as "emnist-letters".
std::vector<std::string> known_class_names(std::string_view set);

}  // namespace idelta::nn

#endif  // IDELTA_NN_NAMES_H
