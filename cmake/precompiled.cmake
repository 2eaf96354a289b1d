# Precompiled headers: ATen, gRPC, CLI11 and GoogleTest are most of a cold build's time otherwise. A
# target names its kind by PRECOMPILED (torch, grpc or program); tests get GoogleTest besides.
# Sources still include what they use: nothing here is needed to compile them.

file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cc.new "")
file(COPY_FILE ${CMAKE_BINARY_DIR}/precompiled.cc.new ${CMAKE_BINARY_DIR}/precompiled.cc
  ONLY_IF_DIFFERENT)

set(PRECOMPILED_base <map> <memory> <string> <vector>
  <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/time/time.h> <spdlog/logger.h>)
set(PRECOMPILED_test <gmock/gmock.h> <gtest/gtest.h>)
set(PRECOMPILED_torch <ATen/ATen.h>)
set(PRECOMPILED_grpc <grpcpp/grpcpp.h> <trainyard/v1/coordinator.grpc.pb.h>)
set(PRECOMPILED_program <CLI/CLI.hpp>)

function(trainyard_options_of target kind)
  if(kind MATCHES "test|program")
    target_compile_options(${target} PRIVATE ${TRAINYARD_BRIEF_OPTIONS})
  endif()
endfunction()

# One owner for each mixture: others reuse its file, so their compile flags must be the same.
function(trainyard_precompiled_owner name)
  cmake_parse_arguments(ARG "" "" "KINDS;DEPS" ${ARGN})
  add_library(precompiled_${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cc)
  target_include_directories(precompiled_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(precompiled_${name} PRIVATE spdlog::spdlog absl::statusor ${ARG_DEPS})
  trainyard_options_of(precompiled_${name} ${name})
  foreach(kind IN LISTS ARG_KINDS)
    target_precompile_headers(precompiled_${name} PRIVATE ${PRECOMPILED_${kind}})
  endforeach()
endfunction()
trainyard_precompiled_owner(torch KINDS base torch DEPS ty::torch)
trainyard_precompiled_owner(grpc KINDS base grpc DEPS proto)
trainyard_precompiled_owner(program KINDS base grpc program DEPS proto)
trainyard_precompiled_owner(test KINDS base test DEPS GTest::gmock)
trainyard_precompiled_owner(torch_test KINDS base test torch DEPS GTest::gmock ty::torch)
trainyard_precompiled_owner(grpc_test KINDS base test grpc DEPS GTest::gmock proto)

function(trainyard_use_precompiled target kind)
  trainyard_options_of(${target} ${kind})
  target_precompile_headers(${target} REUSE_FROM precompiled_${kind})
endfunction()
