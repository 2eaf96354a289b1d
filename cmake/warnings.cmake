# Warnings and sanitizers for every target of the project. Dependencies are SYSTEM includes and
# stay outside of both.
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -Wno-sign-compare -Werror
                    -fno-omit-frame-pointer)
# The same for every target: a precompiled header serves only the flags it was made with. gRPC asks
# for -pthread; without OpenMP at::parallel_for, whose loop is in a header, runs on one thread.
add_compile_options(-fPIC -pthread -fopenmp)
# GCC looks for garbage as soon as a precompiled header is loaded, again and again: a tenth of a build.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options(--param=ggc-min-heapsize=1000000)
endif()

set(TRAINYARD_SANITIZE "" CACHE STRING "Sanitizers, as given to -fsanitize (empty: none)")
if(TRAINYARD_SANITIZE)
  add_compile_options(-fsanitize=${TRAINYARD_SANITIZE})
  add_link_options(-fsanitize=${TRAINYARD_SANITIZE})
endif()

# tests/fuzz, by clang: every source is instrumented for libFuzzer.
option(TRAINYARD_FUZZ "Build the fuzz programs (clang)" OFF)
if(TRAINYARD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
