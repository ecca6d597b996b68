# Builds a project that holds idelta with add_subdirectory. Its build folder stays, so that a rerun takes seconds.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

build_and_test("${CMAKE_CURRENT_LIST_DIR}" "-DIDELTA_SOURCE_DIR=${IDELTA_SOURCE_DIR}")
