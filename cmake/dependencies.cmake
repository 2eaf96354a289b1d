# The only file that looks for packages. Each dependency becomes one imported target.
#
#   gRPC::grpc++ protobuf::libprotobuf absl::*   Debian, by their own CMake packages
#   ty::torch                                    LibTorch of the pinned PyPI wheel
#   ty::sqlite3 ty::pcre2 ...                    Debian, by pkg-config or by name

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(simdjson CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)

# A dependency that pkg-config knows becomes ty::<name>.
function(trainyard_pkg_config name module)
  pkg_check_modules(TY_${name} REQUIRED IMPORTED_TARGET GLOBAL ${module})
  add_library(ty::${name} ALIAS PkgConfig::TY_${name})
endfunction()
trainyard_pkg_config(sqlite3 sqlite3)
trainyard_pkg_config(pcre2 libpcre2-8)
trainyard_pkg_config(utf8proc libutf8proc)
trainyard_pkg_config(sentencepiece sentencepiece)
trainyard_pkg_config(zlib zlib)
trainyard_pkg_config(zstd libzstd)
trainyard_pkg_config(xxhash libxxhash)
trainyard_pkg_config(httplib cpp-httplib)

# LibTorch by hand: the wheel's own CMake package demands a CUDA toolkit even for CPU use. The wheel
# is one for CPU and CUDA; .venv-build has it alone, .venv-parity with the CUDA libraries beside it.
option(TRAINYARD_CUDA "Compile and link the CUDA and NCCL parts (scripts/setup gpu)" OFF)
set(TRAINYARD_TORCH_ENVIRONMENT .venv-build)
if(TRAINYARD_CUDA)
  set(TRAINYARD_TORCH_ENVIRONMENT .venv-parity)
endif()
file(GLOB TRAINYARD_TORCH_GUESS
  ${CMAKE_SOURCE_DIR}/${TRAINYARD_TORCH_ENVIRONMENT}/lib/python3.*/site-packages/torch)
set(TRAINYARD_TORCH_DIR "${TRAINYARD_TORCH_GUESS}" CACHE PATH "Directory of the torch wheel")
if(NOT EXISTS ${TRAINYARD_TORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "no LibTorch under '${TRAINYARD_TORCH_DIR}': run scripts/setup build")
endif()
# Where the loader finds LibTorch and what it links.
set(TRAINYARD_TORCH_RPATH ${TRAINYARD_TORCH_DIR}/lib)
add_library(ty_torch INTERFACE)
# After the system's directories: the wheel carries headers of fmt and protobuf, of other versions.
target_compile_options(ty_torch INTERFACE
  "SHELL:-idirafter ${TRAINYARD_TORCH_DIR}/include"
  "SHELL:-idirafter ${TRAINYARD_TORCH_DIR}/include/torch/csrc/api/include")
target_compile_definitions(ty_torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)
target_link_libraries(ty_torch INTERFACE
  ${TRAINYARD_TORCH_DIR}/lib/libtorch_cpu.so ${TRAINYARD_TORCH_DIR}/lib/libc10.so
  ${TRAINYARD_TORCH_DIR}/lib/libgomp.so.1)
target_link_options(ty_torch INTERFACE
  "LINKER:-rpath-link,${TRAINYARD_TORCH_DIR}/lib" "LINKER:--allow-shlib-undefined")
if(TRAINYARD_CUDA)
  # The wheels of NVIDIA beside torch's: the very versions it was built with. No toolkit is needed.
  get_filename_component(TRAINYARD_NVIDIA_DIR ${TRAINYARD_TORCH_DIR}/../nvidia ABSOLUTE)
  if(NOT EXISTS ${TRAINYARD_NVIDIA_DIR}/nccl/lib/libnccl.so.2)
    message(FATAL_ERROR "no NCCL under '${TRAINYARD_NVIDIA_DIR}': run scripts/setup gpu")
  endif()
  list(APPEND TRAINYARD_TORCH_RPATH ${TRAINYARD_NVIDIA_DIR}/cu13/lib ${TRAINYARD_NVIDIA_DIR}/nccl/lib)
  target_compile_options(ty_torch INTERFACE
    "SHELL:-idirafter ${TRAINYARD_NVIDIA_DIR}/cu13/include"
    "SHELL:-idirafter ${TRAINYARD_NVIDIA_DIR}/nccl/include")
  target_compile_definitions(ty_torch INTERFACE USE_C10D_NCCL)
  # Devices register themselves when libtorch_cuda is loaded; no symbol of ours asks for it.
  target_link_libraries(ty_torch INTERFACE
    -Wl,--push-state,--no-as-needed
    ${TRAINYARD_TORCH_DIR}/lib/libtorch_cuda.so ${TRAINYARD_TORCH_DIR}/lib/libc10_cuda.so
    -Wl,--pop-state
    ${TRAINYARD_NVIDIA_DIR}/cu13/lib/libcudart.so.13 ${TRAINYARD_NVIDIA_DIR}/nccl/lib/libnccl.so.2)
endif()
add_library(ty::torch ALIAS ty_torch)
