# Builds a project that holds idelta with add_subdirectory, and whose flags idelta must not share: all that make GCC
# and Clang link what flushes denormals in the whole process, and no build type, whose -O3 would hide -Ofast. The build
# folder stays, so that a rerun takes seconds.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

build_and_test("${CMAKE_CURRENT_LIST_DIR}" "-DIDELTA_SOURCE_DIR=${IDELTA_SOURCE_DIR}" "-DCMAKE_BUILD_TYPE="
  "-DCMAKE_CXX_FLAGS=-Ofast -ffast-math -funsafe-math-optimizations")
