# Three programs that are no part of this build use the library as others would: from an installed package, through
# pkg-config, and as a subproject. Each test is a script beside its program; none needs a network.
#
# Not with sanitizers: a foreign program does not bring their run time along.
if(IDELTA_INSTALL AND NOT IDELTA_SANITIZE AND NOT IDELTA_BUILD_FUZZERS)
  foreach(consumer IN ITEMS find_package pkg_config subproject)
    add_test(NAME consumer_${consumer}
      COMMAND "${CMAKE_COMMAND}"
        "-DIDELTA_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
        "-DIDELTA_BINARY_DIR=${PROJECT_BINARY_DIR}"
        "-DIDELTA_VERSION=${PROJECT_VERSION}"
        "-DIDELTA_HAS_NN=$<TARGET_EXISTS:idelta_nn>"
        "-DWORK_DIR=${CMAKE_CURRENT_BINARY_DIR}/consumer_${consumer}"
        "-DGENERATOR=${CMAKE_GENERATOR}"
        "-DC_COMPILER=${CMAKE_C_COMPILER}"
        "-DCXX_COMPILER=${CMAKE_CXX_COMPILER}"
        -P "${CMAKE_CURRENT_LIST_DIR}/consumer_${consumer}/test.cmake")
    set_tests_properties(consumer_${consumer} PROPERTIES LABELS package TIMEOUT 900)
  endforeach()
endif()
