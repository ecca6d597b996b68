# The idelta program as its user meets it, a script a theme (cli/): each makes its own data, so that they run side by side.
find_program(IDELTA_BASH bash REQUIRED)
file(GLOB scripts CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_LIST_DIR}/cli" "${CMAKE_CURRENT_LIST_DIR}/cli/*.sh")
list(REMOVE_ITEM scripts setup.sh faults.sh)
foreach(script IN LISTS scripts)
  string(REGEX REPLACE "\\.sh$" "" theme "${script}")
  add_test(NAME cli.${theme}
    COMMAND "${IDELTA_BASH}" "${CMAKE_CURRENT_LIST_DIR}/cli/${script}" $<TARGET_FILE:idelta_cli>)
  set_tests_properties(cli.${theme} PROPERTIES TIMEOUT ${timeout} ENVIRONMENT "IDELTA_TEST_SANITIZE=${IDELTA_SANITIZE}")
endforeach()

# With a library between the program and its disk. A sanitizer wants to be the first that is loaded.
if(NOT IDELTA_SANITIZE)
  add_library(idelta_file_faults MODULE support/file_faults.cc)
  set_target_properties(idelta_file_faults PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(idelta_file_faults PRIVATE ${CMAKE_DL_LIBS})
  add_test(NAME cli.faults
    COMMAND "${IDELTA_BASH}" "${CMAKE_CURRENT_LIST_DIR}/cli/faults.sh" $<TARGET_FILE:idelta_cli>
      $<TARGET_FILE:idelta_file_faults>)
  set_tests_properties(cli.faults PROPERTIES TIMEOUT ${timeout})
endif()

# The files of idelta_bench, in the same way.
if(TARGET idelta_bench)
  add_test(NAME bench_outputs
    COMMAND "${IDELTA_BASH}" "${CMAKE_CURRENT_LIST_DIR}/bench/outputs.sh" $<TARGET_FILE:idelta_bench>)
  set_tests_properties(bench_outputs PROPERTIES TIMEOUT ${timeout})
endif()

# The page of `idelta explain`, in Chromium; what it looks like stays in the build folder.
add_test(NAME report
  COMMAND "${IDELTA_BASH}" "${CMAKE_CURRENT_LIST_DIR}/report/page.sh" $<TARGET_FILE:idelta_cli>
    "${CMAKE_CURRENT_LIST_DIR}/report/check.js" "${CMAKE_CURRENT_BINARY_DIR}/report_screenshots")
set_tests_properties(report PROPERTIES TIMEOUT ${timeout} SKIP_RETURN_CODE 77)

# The program's signals, from inside: a write that is cut short by one would have to be met to the microsecond.
idelta_add_test_program(interrupt_test interrupt_test.cc "${PROJECT_SOURCE_DIR}/src/cli/interrupt.cc")
target_include_directories(interrupt_test PRIVATE "${PROJECT_SOURCE_DIR}")
target_link_libraries(interrupt_test PRIVATE GTest::gtest_main)
add_test(NAME interrupt COMMAND interrupt_test)
