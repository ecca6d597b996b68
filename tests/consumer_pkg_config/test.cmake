# Installs the build to a prefix of its own, moves that elsewhere, and compiles main.c with what pkg-config says:
# against the shared library, and with --static against the archive.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

file(REMOVE_RECURSE "${WORK_DIR}")
install_to("${WORK_DIR}/installed")
file(RENAME "${WORK_DIR}/installed" "${WORK_DIR}/moved")

file(GLOB_RECURSE pc_file "${WORK_DIR}/moved/*/idelta.pc")
cmake_path(GET pc_file PARENT_PATH pc_dir)
set(ENV{PKG_CONFIG_PATH} "${pc_dir}")

# pkg_config(<variable> <option>...): its answer as a list.
function(pkg_config variable)
  execute_process(COMMAND pkg-config ${ARGN} idelta OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(answer UNIX_COMMAND "${answer}")
  set(${variable} "${answer}" PARENT_SCOPE)
endfunction()

pkg_config(version --modversion)
if(NOT version STREQUAL IDELTA_VERSION)
  message(FATAL_ERROR "idelta.pc is of version ${version}, the build of ${IDELTA_VERSION}")
endif()
pkg_config(cflags --cflags)
pkg_config(shared --libs)
pkg_config(static --libs --static)
pkg_config(libdir --variable=libdir)
# Both libraries are there and the linker would take the shared one.
list(TRANSFORM static REPLACE "^-lidelta$" "-l:libidelta.a")

set(compile "${C_COMPILER}" -std=c99 -Wall -Wextra -Wpedantic -Werror ${cflags} "${CMAKE_CURRENT_LIST_DIR}/main.c")
run(${compile} -o "${WORK_DIR}/with_shared" ${shared} "-Wl,-rpath,${libdir}")
run("${WORK_DIR}/with_shared")
run(${compile} -o "${WORK_DIR}/with_archive" ${static})
run("${WORK_DIR}/with_archive")
