# Steps that the scripts of consumers.cmake share. They get IDELTA_SOURCE_DIR, IDELTA_BINARY_DIR, IDELTA_VERSION,
# IDELTA_HAS_NN, IDELTA_PYTHON3, IDELTA_PYTHON_DIR, INSTALLED, WORK_DIR, GENERATOR, C_COMPILER, CXX_COMPILER and NM.
cmake_minimum_required(VERSION 3.25)

# run(<command> <argument>...): a failure ends the test; the command and its output are shown.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# build_and_test(<project folder> <option>...): configures it in WORK_DIR/build, builds it and runs its tests.
function(build_and_test project)
  run("${CMAKE_COMMAND}" -S "${project}" -B "${WORK_DIR}/build" -G "${GENERATOR}" "-DCMAKE_BUILD_TYPE=Release"
    "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" "-DIDELTA_VERSION=${IDELTA_VERSION}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${WORK_DIR}/build" --parallel)
  run("${CMAKE_CTEST_COMMAND}" --test-dir "${WORK_DIR}/build" --output-on-failure --no-tests=error)
endfunction()
