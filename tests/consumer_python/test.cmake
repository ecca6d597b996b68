# The installed package as a new user finds it: no environment, an empty folder, README's lines.
include("${CMAKE_CURRENT_LIST_DIR}/../consumer_steps.cmake")

file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}")
set(as_new_user ${CMAKE_COMMAND} -E chdir "${WORK_DIR}" env -i "PATH=$ENV{PATH}" "HOME=${WORK_DIR}" MPLBACKEND=Agg
  PYTHONDONTWRITEBYTECODE=1 "PYTHONPATH=${INSTALLED}/${IDELTA_PYTHON_DIR}" "${IDELTA_PYTHON3}")

run(${as_new_user} "${CMAKE_CURRENT_LIST_DIR}/check.py" "${INSTALLED}" "${IDELTA_VERSION}")
if(IDELTA_HAS_NN)
  run(${as_new_user} "${IDELTA_SOURCE_DIR}/tests/python/readme.py" "${IDELTA_SOURCE_DIR}/src/python/README.md")
  run(${as_new_user} -m idelta info)
endif()
