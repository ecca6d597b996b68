# cmake -DOUT=<file.cc> -DFILES=<name>=<path>,... -P embed.cmake: a C++ source that holds the text of each file as
# report::<name>. A path that is empty gives an empty text.
cmake_minimum_required(VERSION 3.25)

set(source "// Made by embed.cmake.\n#include \"cli/report/assets.h\"\n\nnamespace idelta::cli::report {\n\n")
string(REPLACE "," ";" FILES "${FILES}")
foreach(file IN LISTS FILES)
  string(REGEX MATCH "^([A-Za-z0-9_]+)=(.*)$" matched "${file}")
  set(name "${CMAKE_MATCH_1}")
  set(path "${CMAKE_MATCH_2}")
  set(text "")
  if(path)
    file(READ "${path}" text)
  endif()
  string(APPEND source "const std::string_view ${name} = R\"asset(${text})asset\";\n")
endforeach()
file(WRITE "${OUT}" "${source}\n}  // namespace idelta::cli::report\n")
