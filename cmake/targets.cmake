# Short functions: a library, a binary, a test (in C++ or python). A name in DEPS is a target of this project or
# an imported one. PUBLIC linking everywhere: the include rules are held by tests/tidy_test.py.

find_program(TRAINYARD_MOLD mold)
if(TRAINYARD_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
# For those who go to and fro between branches; in a cold build it only costs.
option(TRAINYARD_CCACHE "Compile through ccache" OFF)
if(TRAINYARD_CCACHE)
  find_program(TRAINYARD_CCACHE_PROGRAM ccache REQUIRED)
  # Paths relative to the source tree: another checkout of the same sources hits the same cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
    CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${TRAINYARD_CCACHE_PROGRAM})
  add_compile_options(-fpch-preprocess)  # ccache asks for it with precompiled headers
endif()

# What tests, verbs and mains cost to run is nothing; what they cost to compile is half of a cold
# build. At -O1 GCC 12 takes std::string's own copies for overflows.
set(TRAINYARD_BRIEF_OPTIONS $<$<CONFIG:Release>:-O1> -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-restrict)

# trainyard_library(NAME SRCS a.cc b.cc DEPS base ... PRECOMPILED torch|grpc|program)
function(trainyard_library name)
  cmake_parse_arguments(ARG "" "PRECOMPILED" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
  if(ARG_PRECOMPILED)
    trainyard_use_precompiled(${name} ${ARG_PRECOMPILED})
  endif()
endfunction()

# trainyard_binary(NAME SRCS main.cc DEPS ...): an installed program, beside its siblings in bin/.
function(trainyard_binary name)
  cmake_parse_arguments(ARG "" "PRECOMPILED" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  if(ARG_PRECOMPILED)
    trainyard_use_precompiled(${name} ${ARG_PRECOMPILED})
  endif()
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin
    BUILD_RPATH "${TRAINYARD_TORCH_RPATH}"
    INSTALL_RPATH "${TRAINYARD_INSTALL_RPATH}")
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# trainyard_test(NAME RING unit SRCS x_test.cc DEPS ... PRECOMPILED torch|grpc): one ctest entry, labelled by its ring
# (unit, integration, simulation, parity, faults, gpu), with the ring's time limit per entry.
function(trainyard_test name)
  cmake_parse_arguments(ARG "" "RING;SECONDS;PRECOMPILED" "SRCS;DEPS;ENVIRONMENT" ${ARGN})
  if(ARG_PRECOMPILED)
    set(precompiled ${ARG_PRECOMPILED}_test)
  else()
    set(precompiled test)
  endif()
  if(NOT ARG_SECONDS)
    set(ARG_SECONDS 120)
  endif()
  add_executable(${name} ${ARG_SRCS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  trainyard_use_precompiled(${name} ${precompiled})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests
    BUILD_RPATH "${TRAINYARD_TORCH_RPATH}")
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES
    LABELS ${ARG_RING} TIMEOUT ${ARG_SECONDS}
    ENVIRONMENT "TRAINYARD_BIN_DIR=${CMAKE_BINARY_DIR}/bin;${ARG_ENVIRONMENT}")
endfunction()

# trainyard_python_test(NAME RING parity SCRIPT x_test.py ARGS ...): a python test run with the
# pinned parity environment. The script gets the directory of our programs as TRAINYARD_BIN_DIR.
function(trainyard_python_test name)
  cmake_parse_arguments(ARG "" "RING;SECONDS;SCRIPT" "ARGS" ${ARGN})
  if(NOT ARG_SECONDS)
    set(ARG_SECONDS 180)
  endif()
  add_test(NAME ${name}
    COMMAND ${CMAKE_SOURCE_DIR}/.venv-parity/bin/python ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT}
            ${ARG_ARGS}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES
    LABELS ${ARG_RING} TIMEOUT ${ARG_SECONDS}
    ENVIRONMENT "TRAINYARD_BIN_DIR=${CMAKE_BINARY_DIR}/bin;TRAINYARD_TEST_DIR=${CMAKE_BINARY_DIR}/tests;OMP_NUM_THREADS=1")
endfunction()
