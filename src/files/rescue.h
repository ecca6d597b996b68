// What is written at the end of long work.
#ifndef IDELTA_FILES_RESCUE_H
#define IDELTA_FILES_RESCUE_H

#include <functional>
#include <string>
#include <string_view>

namespace idelta::files {

// A file of this text, whole or not at all.
void write_text(const std::string& path, std::string_view text);

// Calls save(path). If that throws PathError (the disk is full, the folder is gone), saves in a new folder beside it,
// in the working directory, where temporary files go or at home, whichever works first; the error that is thrown then
// names the place.
void save_or_rescue(const std::string& path, const std::function<void(const std::string& path)>& save);

}  // namespace idelta::files

#endif  // IDELTA_FILES_RESCUE_H
