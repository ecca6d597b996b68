#include "src/core/api/struct_versions.h"

namespace idelta::core {

void refuse_struct(const char* name, size_t given, size_t own, const char* init) {
  const std::string sizes = std::string(name) + "->struct_size = " + std::to_string(given) +
                            ", but this library's is " + std::to_string(own) + "; ";
  throw Failure(IDELTA_INVALID_ARGUMENT,
                sizes + (given > own ? "it was made for a newer idelta than " + std::string(idelta_version()) +
                                           ": link that one, or compile with this one's header"
                                     : "no header of idelta had that size: start from " + std::string(init)));
}

}  // namespace idelta::core
