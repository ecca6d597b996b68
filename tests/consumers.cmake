# Programs that are no part of this build use the library as others would: from an installed package, through pkg-config,
# and as a subproject. Each test is a script beside its program; none needs a network.
#
#   consumer_install       installs once, into a DESTDIR, for the three that follow
#   consumer_find_package  C++: find_package, every library that is installed
#   consumer_c             a project of C alone: find_package, with the archive too
#   consumer_pkg_config    pkg-config; and the archive inside another shared library
#   consumer_python        Python: the installed package alone, and README's lines
#   consumer_subproject    add_subdirectory in a parent whose flags and settings are as unlike ours as can be
#   consumer_debug         the same without optimisation, with link-time optimisation asked for
#
# Not with sanitizers: a foreign program does not bring their run time along.
if(NOT IDELTA_INSTALL OR IDELTA_SANITIZE OR IDELTA_BUILD_FUZZERS)
  return()
endif()

# A folder with a space in its name, where each has one of its own.
set(consumers_dir "${CMAKE_CURRENT_BINARY_DIR}/of consumers")

set(consumers install find_package c pkg_config subproject debug)
if(IDELTA_PYTHON)
  list(APPEND consumers python)
endif()
foreach(consumer IN LISTS consumers)
  add_test(NAME consumer_${consumer}
    COMMAND "${CMAKE_COMMAND}"
      "-DIDELTA_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
      "-DIDELTA_BINARY_DIR=${PROJECT_BINARY_DIR}"
      "-DIDELTA_VERSION=${PROJECT_VERSION}"
      "-DIDELTA_HAS_NN=$<TARGET_EXISTS:idelta_nn>"
      "-DIDELTA_PYTHON3=${IDELTA_PYTHON3}"
      "-DIDELTA_PYTHON_DIR=${IDELTA_PYTHON_DIR}"
      "-DINSTALLED=${consumers_dir}/destdir/opt/idelta"
      "-DWORK_DIR=${consumers_dir}/${consumer}"
      "-DGENERATOR=${CMAKE_GENERATOR}"
      "-DC_COMPILER=${CMAKE_C_COMPILER}"
      "-DCXX_COMPILER=${CMAKE_CXX_COMPILER}"
      "-DNM=${CMAKE_NM}"
      -P "${CMAKE_CURRENT_LIST_DIR}/consumer_${consumer}/test.cmake")
  set_tests_properties(consumer_${consumer} PROPERTIES LABELS package TIMEOUT 900)
endforeach()

set_tests_properties(consumer_install PROPERTIES FIXTURES_SETUP installed)
if(IDELTA_PYTHON)
  set_tests_properties(consumer_python PROPERTIES FIXTURES_REQUIRED installed)
endif()
set_tests_properties(consumer_find_package consumer_c consumer_pkg_config PROPERTIES FIXTURES_REQUIRED installed)
# They compile the library again, with all processors.
set_tests_properties(consumer_subproject consumer_debug PROPERTIES PROCESSORS 2)
