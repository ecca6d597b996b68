# The idelta program as its user meets it: exit codes, help, errors, a small run from training to pictures, Ctrl-C.
find_program(IDELTA_BASH bash REQUIRED)
add_test(NAME cli COMMAND "${IDELTA_BASH}" "${CMAKE_CURRENT_LIST_DIR}/cli_test.sh" $<TARGET_FILE:idelta_cli>)
set_tests_properties(cli PROPERTIES TIMEOUT ${timeout})
