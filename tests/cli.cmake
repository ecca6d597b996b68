# The idelta program as its user meets it, a script a theme (cli/): each makes its own data, so that they run side by side.
find_program(IDELTA_BASH bash REQUIRED)
file(GLOB scripts CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_LIST_DIR}/cli" "${CMAKE_CURRENT_LIST_DIR}/cli/*.sh")
list(REMOVE_ITEM scripts setup.sh)
foreach(script IN LISTS scripts)
  string(REGEX REPLACE "\\.sh$" "" theme "${script}")
  add_test(NAME cli.${theme}
    COMMAND "${IDELTA_BASH}" "${CMAKE_CURRENT_LIST_DIR}/cli/${script}" $<TARGET_FILE:idelta_cli>)
  set_tests_properties(cli.${theme} PROPERTIES TIMEOUT ${timeout})
endforeach()

# The files of idelta_bench, in the same way.
if(TARGET idelta_bench)
  add_test(NAME bench_outputs
    COMMAND "${IDELTA_BASH}" "${CMAKE_CURRENT_LIST_DIR}/bench/outputs.sh" $<TARGET_FILE:idelta_bench>)
  set_tests_properties(bench_outputs PROPERTIES TIMEOUT ${timeout})
endif()

# The program's signals, from inside: a write that is cut short by one would have to be met to the microsecond.
idelta_add_test_program(interrupt_test interrupt_test.cc "${PROJECT_SOURCE_DIR}/src/cli/interrupt.cc")
target_include_directories(interrupt_test PRIVATE "${PROJECT_SOURCE_DIR}")
target_link_libraries(interrupt_test PRIVATE GTest::gtest_main)
add_test(NAME interrupt COMMAND interrupt_test)
