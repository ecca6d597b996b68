// What a verb writes, checked before its work. src/files writes it.
#ifndef IDELTA_CLI_FILES_H
#define IDELTA_CLI_FILES_H

#include <functional>
#include <string>

#include "idelta/nn.hpp"

namespace idelta::cli {

// Makes the folder and its parents if they are missing; an error that names `option` if that cannot be. Called before
// long work, like the next.
void prepare_folder(const std::string& option, const std::string& folder);

// The same for the folder of a file that will be written, of a name like `example`; an error for a path that no file
// can be written to.
void prepare_file(const std::string& option, const std::string& path, const std::string& example);

// An error unless the disk has room for a file of so many bytes or more, and the process may write one.
void require_room(const std::string& option, const std::string& path, int64_t bytes);

// The disk alone: for several files of so many bytes together, of which `path` is one.
void require_disk(const std::string& option, const std::string& path, int64_t bytes);

// files::save_or_rescue() that a signal does not cut short.
void save_or_rescue(const std::string& path, const std::function<void(const std::string& path)>& save);

// An error if writing `path` would replace the file `input`, which is `what`, say "the model itself". Links count.
void keep_apart(const std::string& option, const std::string& path, const std::string& input, const std::string& what);

// The same for both files of a data set.
void keep_apart(const std::string& option, const std::string& path, const nn::Dataset& data);

}  // namespace idelta::cli

#endif  // IDELTA_CLI_FILES_H
