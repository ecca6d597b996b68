# cmake -DSOURCE=<folder> -P house_style.cmake: what a reader of the sources can rely on, judged from their text.
#   - files have at most 400 lines
#   - the rooms of src/core include downwards only
#   - a path of the repository that a text names is there; none names a folder of some machine
cmake_minimum_required(VERSION 3.25)

set(failures 0)
function(complain text)
  message("${text}")
  math(EXPR more "${failures} + 1")
  set(failures ${more} PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE "${SOURCE}"
  "${SOURCE}/src/*" "${SOURCE}/kernels/*" "${SOURCE}/bench/*" "${SOURCE}/tests/*" "${SOURCE}/cmake/*")
list(APPEND files CMakeLists.txt README.md)
list(FILTER files INCLUDE REGEX "\\.(h|hpp|c|cc|cmake|sh|md|in|txt|py)$|^cmake/dev$")
# A header of version 0.1 as it was, and this list of words.
list(FILTER files EXCLUDE REGEX "^tests/compatibility/|^tests/house_style\\.cmake$")

# Top to bottom; context.h stands in the root of src/core.
set(rooms api passes formats context plan threads machine base)

set(folders "core|src|kernels|tests|bench|nn|cli|files|api|passes|formats|plan|threads|machine|base|support|cmake|scalar|avx2|avx512|amx|implementations")
set(named "(^|[^A-Za-z0-9_./<>{}$*-])((${folders})/[A-Za-z0-9_/-]+\\.(cc|cmake|hpp|h|sh|md))")

set(basenames)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  list(APPEND basenames "${name}")
endforeach()

foreach(file IN LISTS files)
  file(READ "${SOURCE}/${file}" text)
  string(REGEX MATCHALL "\n" lines "${text}")
  list(LENGTH lines count)
  if(count GREATER 400)
    complain("${file}: ${count} lines, more than 400; give its parts files of their own")
  endif()

  if(file MATCHES "^src/core/([a-z]+)[/.]")
    list(FIND rooms "${CMAKE_MATCH_1}" room)
    string(REGEX MATCHALL "#include \"src/core/[a-z]+[/.]" includes "${text}")
    foreach(include IN LISTS includes)
      string(REGEX REPLACE ".*src/core/([a-z]+).*" "\\1" other "${include}")
      list(FIND rooms "${other}" below)
      if(room LESS 0 OR below LESS room)
        complain("${file}: includes the room ${other}, which is not below it")
      endif()
    endforeach()
  endif()

  string(REGEX REPLACE "[][;]" " " text "${text}")  # brackets keep CMake from cutting a list

  # The folders that lead to a name such as plan/partition.h may be left out.
  string(REGEX MATCHALL "${named}" names "${text}")
  list(REMOVE_DUPLICATES names)
  foreach(name IN LISTS names)
    string(REGEX REPLACE "${named}" "\\2" name "${name}")
    get_filename_component(here "${file}" DIRECTORY)
    set(found FALSE)
    foreach(folder IN ITEMS . src src/core src/core/formats bench tests kernels src/include "${here}")
      if(EXISTS "${SOURCE}/${folder}/${name}" OR EXISTS "${SOURCE}/${folder}/${name}.in")
        set(found TRUE)
      endif()
    endforeach()
    if(NOT found)
      complain("${file}: names ${name}, which is not there")
    endif()
  endforeach()

  # A name without a folder, but for those of the system, which stand in <>.
  string(REGEX MATCHALL "[^A-Za-z0-9_./<>{}$*-][a-z][a-z0-9_]*\\.(cc|hpp|h)[^A-Za-z0-9_>./*]" names "${text}")
  list(REMOVE_DUPLICATES names)
  foreach(name IN LISTS names)
    string(REGEX REPLACE "^.([a-z0-9_]+\\.[a-z]+).*$" "\\1" name "${name}")
    if(name AND NOT name IN_LIST basenames AND NOT file STREQUAL "cmake/dev")
      complain("${file}: names ${name}, which is nowhere")
    endif()
  endforeach()

  string(REGEX MATCH "/(home|root|work|Users)/[A-Za-z0-9_]+" machine "${text}")
  if(machine)
    complain("${file}: names ${machine}, a folder of one machine")
  endif()
  string(REGEX MATCH "https?://[A-Za-z0-9.-]*(pypi|crates\\.io|npmjs|registry|proxy\\.golang|deb\\.debian)[A-Za-z0-9.-]*" host "${text}")
  if(host)
    complain("${file}: names ${host}, a registry")
  endif()
endforeach()

if(failures GREATER 0)
  message(FATAL_ERROR "${failures} places, listed above, are not in the style of the house")
endif()
