# Builds a project that holds idelta, without optimisation and with link-time optimisation. The build folder stays, so
# that a rerun takes seconds.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

build_and_test("${CMAKE_CURRENT_LIST_DIR}" "-DIDELTA_SOURCE_DIR=${IDELTA_SOURCE_DIR}" "-DCMAKE_BUILD_TYPE=Debug"
  "-DISA_SYMBOLS=${CMAKE_CURRENT_LIST_DIR}/../isa_symbols.cmake")
