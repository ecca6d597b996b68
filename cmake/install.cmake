# Install rules: libraries, headers, the CMake package, pkg-config files and the program.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/idelta")
file(RELATIVE_PATH prefix_from_pc "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH libdir_from_bin "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")

# idelta_foreign_targets(<variable> <library>): the packages' targets that it links, e.g. ZLIB::ZLIB.
function(idelta_foreign_targets variable library)
  get_target_property(targets ${library} LINK_LIBRARIES)
  list(FILTER targets INCLUDE REGEX "^[^$<>]+::")
  list(FILTER targets EXCLUDE REGEX "^idelta::")
  set(${variable} ${targets} PARENT_SCOPE)
endfunction()

# Each library has an export set of its own, so that a user of the shared one needs no other's packages.
function(idelta_install_library target component)
  install(TARGETS ${target} EXPORT idelta-${component}
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT idelta-${component} NAMESPACE idelta:: FILE "idelta-${component}.cmake" DESTINATION "${package_dir}")
endfunction()

idelta_install_library(idelta shared)
idelta_install_library(idelta_static static)
install(FILES src/include/idelta/context.h src/include/idelta/delta.h src/include/idelta/idelta.h
  src/include/idelta/idelta.hpp src/include/idelta/kinds.h
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/idelta")

if(TARGET idelta_nn)
  set_target_properties(idelta_nn PROPERTIES EXPORT_NAME nn)
  idelta_install_library(idelta_nn nn)
  idelta_foreign_targets(IDELTA_NN_NEEDS idelta_nn)
  set_target_properties(idelta_nn_shared PROPERTIES EXPORT_NAME nn_shared)
  idelta_install_library(idelta_nn_shared nn_shared)
  install(FILES src/include/idelta/nn.h src/include/idelta/nn.hpp DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/idelta")
  install(DIRECTORY src/include/idelta/nn DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/idelta")
endif()

if(TARGET idelta_cli)
  set_target_properties(idelta_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${libdir_from_bin}")
  install(TARGETS idelta_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

# What a static link needs besides: for find_package as targets, for pkg-config as libraries.
idelta_foreign_targets(IDELTA_STATIC_NEEDS idelta_static)
list(TRANSFORM IDELTA_CXX_RUNTIME PREPEND -l OUTPUT_VARIABLE IDELTA_LIBS_PRIVATE)
list(JOIN IDELTA_LIBS_PRIVATE " " IDELTA_LIBS_PRIVATE)
string(APPEND IDELTA_LIBS_PRIVATE " -pthread")
if("PkgConfig::hwloc" IN_LIST IDELTA_STATIC_NEEDS)
  string(APPEND IDELTA_LIBS_PRIVATE " -lhwloc")
endif()
configure_file(cmake/idelta.pc.in idelta.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/idelta.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

if(TARGET idelta_nn)
  configure_file(cmake/idelta-nn.pc.in idelta-nn.pc @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/idelta-nn.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()

configure_package_config_file(cmake/idelta-config.cmake.in idelta-config.cmake INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(idelta-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES "${PROJECT_BINARY_DIR}/idelta-config.cmake" "${PROJECT_BINARY_DIR}/idelta-config-version.cmake"
  DESTINATION "${package_dir}")
