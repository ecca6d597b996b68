// What a verb writes: checked before its work, whole or not there after it, and saved elsewhere if the place is lost.
#ifndef IDELTA_CLI_FILES_H
#define IDELTA_CLI_FILES_H

#include <functional>
#include <string>
#include <string_view>

#include "idelta/nn.hpp"

namespace idelta::cli {

void write_text(const std::string& path, std::string_view text);

// Calls save(path) for the result of long work. If that cannot be written (the disk is full, the folder is gone), saves
// it in a new folder beside it, in the working directory, where temporary files go or at home, whichever works first;
// the error that is thrown then names it.
void save_or_rescue(const std::string& path, const std::function<void(const std::string& path)>& save);

// Makes the folder and its parents if they are missing; an error that names `option` if that cannot be. Called before
// long work, like the next.
void prepare_folder(const std::string& option, const std::string& folder);

// The same for the folder of a file that will be written, of a name like `example`; an error for a path that no file
// can be written to.
void prepare_file(const std::string& option, const std::string& path, const std::string& example);

// An error unless the disk has room for a file of so many bytes, and the process may write one.
void require_room(const std::string& option, const std::string& path, int64_t bytes);

// An error if writing `path` would replace the file `input`, which is `what`, say "the model itself". Links count.
void keep_apart(const std::string& option, const std::string& path, const std::string& input, const std::string& what);

// The same for both files of a data set.
void keep_apart(const std::string& option, const std::string& path, const nn::Dataset& data);

}  // namespace idelta::cli

#endif  // IDELTA_CLI_FILES_H
