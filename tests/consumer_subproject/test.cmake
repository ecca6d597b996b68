# Builds a project that holds idelta with add_subdirectory, from a path with a space, and whose flags idelta must not
# share: all that make GCC and Clang link what flushes denormals in the whole process, and no build type, whose -O3 would
# hide -Ofast. With another generator than ours where there is one. The build folder stays, so that a rerun takes seconds.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

file(MAKE_DIRECTORY "${WORK_DIR}")
file(CREATE_LINK "${IDELTA_SOURCE_DIR}" "${WORK_DIR}/idelta source" SYMBOLIC)
find_program(make NAMES make gmake)
if(make)
  set(GENERATOR "Unix Makefiles")
endif()
build_and_test("${CMAKE_CURRENT_LIST_DIR}" "-DIDELTA_SOURCE_DIR=${WORK_DIR}/idelta source" "-DCMAKE_BUILD_TYPE="
  "-DCMAKE_CXX_FLAGS=-Ofast -ffast-math -funsafe-math-optimizations")
