# Fails if a public header draws a warning that somebody might turn on, in any language that it is for. Clang knows more
# of them than GCC, and is asked where it is found.
#
#   cmake -DC_COMPILER=cc -DCXX_COMPILER=c++ -DINCLUDE=src/include -P public_headers.cmake
set(source "${CMAKE_CURRENT_LIST_DIR}/public_headers.c")
file(READ "${source}" text)
file(GLOB headers RELATIVE "${INCLUDE}/idelta" "${INCLUDE}/idelta/*.h" "${INCLUDE}/idelta/nn/*.h")
foreach(header IN LISTS headers)
  file(STRINGS "${INCLUDE}/idelta/${header}" lines REGEX "^#define IDELTA_[A-Z_]+_INIT")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "IDELTA_[A-Z_]+_INIT" macro "${line}")
    if(NOT text MATCHES " ${macro};")
      message(FATAL_ERROR "${source} does not use ${macro}")
    endif()
  endforeach()
endforeach()

set(both -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual -Wcast-align
  -Wdouble-promotion -Wredundant-decls)
set(c ${both} -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wdeclaration-after-statement)
set(cxx ${both} -Wold-style-cast -Wzero-as-null-pointer-constant -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi)
# All but: what C++98 could not do, padding, and where a class of inline functions has its table of virtual ones.
set(everything -Weverything -Wno-padded -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-weak-vtables)

# compile(<compiler> <language> <standard> <flag>...)
function(compile compiler language standard)
  execute_process(COMMAND "${compiler}" -x ${language} -std=${standard} -fsyntax-only -Werror "-I${INCLUDE}" ${ARGN} "${source}"
    COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(standard IN ITEMS c99 c11 gnu17)
  compile("${C_COMPILER}" c ${standard} ${c})
endforeach()
foreach(standard IN ITEMS c++20 c++2b)
  compile("${CXX_COMPILER}" c++ ${standard} ${cxx})
endforeach()

find_program(clang clang)
find_program(clangxx clang++)
if(clang AND clangxx)
  compile("${clang}" c c99 ${everything})
  compile("${clangxx}" c++ c++20 ${everything})
endif()
