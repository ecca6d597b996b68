// Failures are exceptions; api/guard.h turns them into a status and a sentence.
#ifndef IDELTA_CORE_BASE_ERROR_H
#define IDELTA_CORE_BASE_ERROR_H

#include <stdexcept>
#include <string>

#include "idelta/idelta.h"

namespace idelta::core {

class Failure : public std::runtime_error {
 public:
  Failure(idelta_status status, const std::string& what) : std::runtime_error(what), status_(status) {}
  idelta_status status() const { return status_; }

 private:
  idelta_status status_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_BASE_ERROR_H
