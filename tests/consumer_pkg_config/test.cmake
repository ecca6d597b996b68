# Compiles main.c with what pkg-config says of the installed package: against the shared library, and with --static
# against the archive; then holds the archive in a shared library of its own.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}")
file(GLOB_RECURSE pc_file "${INSTALLED}/*/idelta.pc")
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
# Both libraries are there and the linker would take the shared one.
list(TRANSFORM static REPLACE "^-lidelta$" "-l:libidelta.a")
cmake_path(GET pc_dir PARENT_PATH libdir)

set(compile "${C_COMPILER}" -std=c99 -Wall -Wextra -Wpedantic -Werror ${cflags} "${CMAKE_CURRENT_LIST_DIR}/main.c")
run(${compile} -o "${WORK_DIR}/with_shared" ${shared} "-Wl,-rpath,${libdir}")
run("${WORK_DIR}/with_shared")
run(${compile} -o "${WORK_DIR}/with_archive" ${static})
run("${WORK_DIR}/with_archive")

# exported(<variable> <shared library>): how many idelta_* functions it offers.
function(exported variable library)
  execute_process(COMMAND "${NM}" --dynamic --defined-only "${library}"
    OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL " T idelta_[a-z0-9_]+" symbols "${symbols}")
  list(LENGTH symbols count)
  set(${variable} ${count} PARENT_SCOPE)
endfunction()

# The archive's functions keep their names in a library that holds it, or are its own affair: as README.md says.
set(hold -shared -fPIC "-Dmain=use_idelta" ${static} -Wl,-z,defs)
run(${compile} -o "${WORK_DIR}/open.so" ${hold})
run(${compile} -o "${WORK_DIR}/closed.so" ${hold} -Wl,--exclude-libs,libidelta.a)
exported(open "${WORK_DIR}/open.so")
exported(closed "${WORK_DIR}/closed.so")
if(open LESS 20 OR NOT closed EQUAL 0)
  message(FATAL_ERROR "of idelta's functions ${open} are exported, ${closed} with --exclude-libs")
endif()
