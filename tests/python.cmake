# The Python package, a suite a file of tests/python, each in a process of its own.
if(NOT IDELTA_PYTHON3)
  message(FATAL_ERROR "no python3 has numpy: install python3-numpy, or configure with -DIDELTA_PYTHON=OFF")
endif()
# A sanitizer's run time would have to be loaded before Python itself.
if(IDELTA_SANITIZE OR IDELTA_BUILD_FUZZERS)
  return()
endif()
set(IDELTA_PYTHON_TEST_ENVIRONMENT
  "PYTHONPATH=${PROJECT_BINARY_DIR}/src/python"
  "PYTHONDONTWRITEBYTECODE=1"
  "IDELTA_TEST_CC=${CMAKE_C_COMPILER}"
  "IDELTA_TEST_PROGRAM=$<$<TARGET_EXISTS:idelta_cli>:$<TARGET_FILE:idelta_cli>>"
  "IDELTA_TEST_SOURCE=${PROJECT_SOURCE_DIR}")
file(GLOB suites CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/python/*_test.py")
if(NOT TARGET idelta_nn_shared)
  list(FILTER suites EXCLUDE REGEX "/(network.*|sklearn|readme)_test\\.py$")
endif()
foreach(suite IN LISTS suites)
  get_filename_component(theme "${suite}" NAME_WE)
  string(REGEX REPLACE "_test$" "" theme "${theme}")
  add_test(NAME python.${theme} COMMAND "${IDELTA_PYTHON3}" "${suite}")
  set_tests_properties(python.${theme} PROPERTIES
    TIMEOUT ${timeout} ENVIRONMENT "${IDELTA_PYTHON_TEST_ENVIRONMENT}" SKIP_RETURN_CODE 77)
endforeach()
