// Files that are either whole or not there: written beside their place, then renamed.
#ifndef IDELTA_CLI_FILES_H
#define IDELTA_CLI_FILES_H

#include <functional>
#include <string>
#include <string_view>

namespace idelta::cli {

// Calls write(temporary) with a name beside `path`, then renames it to `path`; if anything throws, the temporary file
// is removed and `path` is as it was.
void write_whole(const std::string& path, const std::function<void(const std::string& temporary)>& write);

// The same for a text.
void write_text(const std::string& path, std::string_view text);

// Makes the folder and its parents if they are missing; an error that names `option` if that cannot be or it cannot be
// written to. Called before long work, so that hours of training do not end in an error.
void prepare_folder(const std::string& option, const std::string& folder);

// The same for the folder of a file that will be written, of a name like `example`; an error for a path that is a
// folder or anything but a regular file.
void prepare_file(const std::string& option, const std::string& path, const std::string& example);

// An error if writing `path` would replace the file `input`, which is `what`, say "the model itself". Links count.
void keep_apart(const std::string& option, const std::string& path, const std::string& input, const std::string& what);

}  // namespace idelta::cli

#endif  // IDELTA_CLI_FILES_H
