// Who fails says so here; idelta_last_error() gives the sentence. Exported though in no public header: the C ABI of
// libidelta_nn, which is a library of its own, has its errors in the same place.
#ifndef IDELTA_CORE_API_LAST_ERROR_H
#define IDELTA_CORE_API_LAST_ERROR_H

#include "idelta/idelta.h"

// Keeps "<call>: <what>" for this thread and returns `status`. Of OUT_OF_MEMORY it needs no memory.
extern "C" IDELTA_API idelta_status idelta_record_error(idelta_status status, const char* call,
                                                        const char* what) noexcept;

#endif  // IDELTA_CORE_API_LAST_ERROR_H
