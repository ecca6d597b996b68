// A folder for outputs.
#ifndef IDELTA_FILES_OUTPUT_FOLDER_H
#define IDELTA_FILES_OUTPUT_FOLDER_H

#include <string>

namespace idelta::files {

// Makes the folder and its parents where they are missing; '' is the working directory. Throws PathError, which names
// the part of the path that is at fault. A folder that was made goes with the program, if nothing has come into it: at
// the end of main(), or with a signal that ends the program (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE).
void make_folder(const std::string& folder);

}  // namespace idelta::files

#endif  // IDELTA_FILES_OUTPUT_FOLDER_H
