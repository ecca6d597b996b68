# Steps that the scripts of consumers.cmake share. They get IDELTA_SOURCE_DIR, IDELTA_BINARY_DIR, IDELTA_VERSION,
# IDELTA_HAS_NN, WORK_DIR, GENERATOR, C_COMPILER and CXX_COMPILER.
cmake_minimum_required(VERSION 3.25)

# run(<command> <argument>...): a failure ends the test; the command and its output are shown.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# install_to(<prefix>): a fresh copy of what the build installs.
function(install_to prefix)
  file(REMOVE_RECURSE "${prefix}")
  run("${CMAKE_COMMAND}" --install "${IDELTA_BINARY_DIR}" --prefix "${prefix}")
endfunction()

# build_and_test(<project folder> <option>...): configures it in WORK_DIR/build, builds it and runs its tests.
function(build_and_test project)
  run("${CMAKE_COMMAND}" -S "${project}" -B "${WORK_DIR}/build" -G "${GENERATOR}" "-DCMAKE_BUILD_TYPE=Release"
    "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${WORK_DIR}/build")
  run("${CMAKE_CTEST_COMMAND}" --test-dir "${WORK_DIR}/build" --output-on-failure --no-tests=error)
endfunction()
