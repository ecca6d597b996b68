# Fails if an object made with the flags of one instruction set exports anything but symbols of idelta::<ISA>.
#
# A weak symbol (nm: W, V, u) is the danger: the linker keeps one of several equal definitions, perhaps the AVX-512
# one, and the program dies on a machine without it. A strong one outside the namespace would clash sooner or later. An
# object that waits for link-time optimisation could end up in functions that run everywhere.
#
#   cmake -DNM=nm -DISA=avx2 -DOBJECTS=a.o,b.o -P isa_symbols.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
set(own 0)
set(wrong "")
foreach(object IN LISTS objects)
  file(READ "${object}" magic LIMIT 4 HEX)
  file(STRINGS "${object}" section REGEX "^\\.gnu\\.lto_" LIMIT_COUNT 1)
  if(magic STREQUAL "4243c0de" OR section)  # LLVM's intermediate code, GCC's
    message(FATAL_ERROR "${object} waits for link-time optimisation")
  endif()
  execute_process(COMMAND "${NM}" --demangle --defined-only --extern-only "${object}"
    OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" lines "${listing}")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^[0-9a-f]* *([A-Za-z]) (.*)$")
      continue()
    endif()
    set(type "${CMAKE_MATCH_1}")
    set(name "${CMAKE_MATCH_2}")
    if(type MATCHES "[WVu]" OR NOT name MATCHES "^idelta::${ISA}::")
      string(APPEND wrong "  ${object}: ${type} ${name}\n")
    else()
      math(EXPR own "${own} + 1")
    endif()
  endforeach()
endforeach()
if(wrong)
  message(FATAL_ERROR "objects of ${ISA} export what they must not:\n${wrong}")
endif()
if(own EQUAL 0)
  message(FATAL_ERROR "no symbol of idelta::${ISA} in: ${OBJECTS}")
endif()
message(STATUS "${own} symbols, all of idelta::${ISA}")
