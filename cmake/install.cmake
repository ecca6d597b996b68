# Install rules: libraries, headers, the CMake package, idelta.pc and the program.
# Each library has an export set of its own, so that a user of the shared library needs none of the others' packages.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/idelta")

function(idelta_install_library target component)
  install(TARGETS ${target} EXPORT idelta-${component}
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT idelta-${component} NAMESPACE idelta:: FILE "idelta-${component}.cmake" DESTINATION "${package_dir}")
endfunction()

idelta_install_library(idelta shared)
idelta_install_library(idelta_static static)
install(FILES src/include/idelta/idelta.h src/include/idelta/idelta.hpp
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/idelta")
