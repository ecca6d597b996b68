# The suites of the nn layer. Training, labels with a guarantee and completeness run once an instruction set like the
# library's suites; the rest, which is arithmetic-free or does not depend on how the arithmetic is done, once, under the
# best one.
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)

idelta_add_isa_suite(nn_training)
target_sources(nn_training_test PRIVATE nn_checkpoint_test.cc)
target_link_libraries(nn_training_test PRIVATE idelta::nn ZLIB::ZLIB)
idelta_add_isa_suite(nn_guarantee)
target_sources(nn_guarantee_test PRIVATE nn_guarantee_terms_test.cc)
target_include_directories(nn_guarantee_test PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(nn_guarantee_test PRIVATE idelta::nn ZLIB::ZLIB)

idelta_add_isa_suite(nn_completeness)
target_include_directories(nn_completeness_test PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(nn_completeness_test PRIVATE idelta::nn ZLIB::ZLIB)

idelta_add_test_program(nn_test
  files_test.cc
  nn_checkpoint_position_test.cc
  nn_class_map_test.cc
  nn_compress_test.cc
  nn_csv_test.cc
  nn_data_test.cc
  nn_controls_test.cc
  nn_decomposition_test.cc
  nn_geometry_test.cc
  nn_gradient_test.cc
  nn_idx_test.cc
  nn_model_forms_test.cc
  nn_model_test.cc
  nn_network_test.cc
  nn_npy_test.cc
  nn_pixel_flipping_test.cc
  nn_predict_test.cc
  nn_roles_test.cc
  nn_safetensors_test.cc
  nn_sheet_test.cc
  nn_study_test.cc
  nn_tails_test.cc)
target_include_directories(nn_test PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(nn_test PRIVATE idelta::nn idelta_test_main idelta_test_support PNG::PNG ZLIB::ZLIB)
add_test(NAME nn COMMAND nn_test)
set_tests_properties(nn PROPERTIES TIMEOUT ${timeout})

# nn.h from C++, through the archive; consumer_c/networks.c is C, and uses the shared library. Its comparisons with
# nn.hpp depend on no instruction set.
idelta_add_test_program(nn_c_test nn_c_refusals_test.cc nn_c_test.cc)
target_link_libraries(nn_c_test PRIVATE idelta::nn idelta_test_main idelta_test_support ZLIB::ZLIB)
add_test(NAME nn_c COMMAND nn_c_test)
set_tests_properties(nn_c PROPERTIES TIMEOUT ${timeout})

add_executable(nn_c_steps consumer_c/networks.c)
set_target_properties(nn_c_steps PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
target_compile_options(nn_c_steps PRIVATE -Wall -Wextra -Wpedantic -pedantic-errors -Wstrict-prototypes -Werror)
target_link_libraries(nn_c_steps PRIVATE idelta::nn_shared m)
add_test(NAME nn_c_steps COMMAND nn_c_steps "${CMAKE_CURRENT_BINARY_DIR}/nn_c_steps.safetensors")
set_tests_properties(nn_c_steps PROPERTIES TIMEOUT ${timeout})

# Stands in for operator new.
idelta_add_test_program(nn_c_memory_test nn_c_memory_test.cc)
target_link_libraries(nn_c_memory_test PRIVATE idelta::nn idelta_test_main idelta_test_support ZLIB::ZLIB)
add_test(NAME nn_c_memory COMMAND nn_c_memory_test)
set_tests_properties(nn_c_memory PROPERTIES TIMEOUT ${timeout})

if(TARGET idelta_test_allocations)
  idelta_add_test_program(nn_out_of_memory_test nn_out_of_memory_test.cc)
  target_link_libraries(nn_out_of_memory_test
    PRIVATE idelta::nn idelta_test_main idelta_test_allocations idelta_test_support ZLIB::ZLIB)
  add_test(NAME nn_out_of_memory COMMAND nn_out_of_memory_test)
  set_tests_properties(nn_out_of_memory PROPERTIES TIMEOUT ${timeout})
endif()
