# Installs the build to a prefix of its own and builds main.cc against that with find_package.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

file(REMOVE_RECURSE "${WORK_DIR}")
install_to("${WORK_DIR}/prefix")
build_and_test("${CMAKE_CURRENT_LIST_DIR}" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix"
  "-DIDELTA_VERSION=${IDELTA_VERSION}" "-DIDELTA_HAS_NN=${IDELTA_HAS_NN}")
