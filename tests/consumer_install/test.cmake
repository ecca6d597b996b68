# Installs the build as a package would be made: for the prefix /opt/idelta, into a DESTDIR. The others use it where it
# lies, so it must work from a place that it was not installed for.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

set(prefix /opt/idelta)
string(REGEX REPLACE "${prefix}$" "" root "${INSTALLED}")
file(REMOVE_RECURSE "${root}")
set(ENV{DESTDIR} "${root}")
run("${CMAKE_COMMAND}" --install "${IDELTA_BINARY_DIR}" --prefix "${prefix}")

file(GLOB_RECURSE installed RELATIVE "${INSTALLED}" "${INSTALLED}/*")
file(GLOB_RECURSE headers RELATIVE "${IDELTA_SOURCE_DIR}/src" "${IDELTA_SOURCE_DIR}/src/include/idelta/*")
if(NOT IDELTA_HAS_NN)
  list(FILTER headers EXCLUDE REGEX "/nn[./]")
endif()
set(of_nn)
if(IDELTA_HAS_NN)
  set(of_nn "lib.*/libidelta_nn\\.so" "lib.*/libidelta_nn\\.a" "lib.*/pkgconfig/idelta-nn\\.pc")
endif()
foreach(wanted IN ITEMS ${headers} ${of_nn} "lib.*/libidelta\\.so" "lib.*/libidelta\\.a" "lib.*/pkgconfig/idelta\\.pc"
    "lib.*/cmake/idelta/idelta-config\\.cmake" "lib.*/cmake/idelta/idelta-config-version\\.cmake")
  set(found ${installed})
  list(FILTER found INCLUDE REGEX "^${wanted}$")
  if(NOT found)
    message(FATAL_ERROR "${wanted} is not installed, only: ${installed}")
  endif()
endforeach()
