#include "path_error.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace idelta::files {

std::string trouble(const std::string& path, int error) {
  std::error_code no_link;
  if (error == ENOENT) {
    const std::string leads_to = std::filesystem::read_symlink(path, no_link).string();
    if (!no_link) return "is a link to " + leads_to + ", which does not exist; mend the link or name another file";
    return "does not exist; check the name";
  }
  if (error == ELOOP) return "is a link that leads back to itself; name the file itself";
  if (error == ENAMETOOLONG) return "is a longer name than the system takes; give a shorter one";
  if (error == ENOTDIR) return "leads through a file as if it were a folder; check the path";
  const std::string said = std::strerror(error);
  if (error == EACCES || error == EPERM) {
    return "is not accessible (" + said + "); change the permissions of it or of the folders above it";
  }
  return "is not accessible (" + said + ")";
}

std::string kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace idelta::files
