# Builds a project that has no C++ compiler against the installed package.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

file(REMOVE_RECURSE "${WORK_DIR}")
build_and_test("${CMAKE_CURRENT_LIST_DIR}" "-DCMAKE_PREFIX_PATH=${INSTALLED}" "-DIDELTA_HAS_NN=${IDELTA_HAS_NN}"
  "-DIDELTA_NN_README=${IDELTA_SOURCE_DIR}/src/nn/README.md")
