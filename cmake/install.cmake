# `cmake --install`: a tree that can be moved as a whole. Programs find their siblings beside
# themselves and LibTorch under ../lib; what else they link are Debian packages.
if(TRAINYARD_CUDA)
  # Gigabytes of CUDA libraries stay in their wheels.
  set(TRAINYARD_INSTALL_RPATH "${TRAINYARD_TORCH_RPATH}")
else()
  set(TRAINYARD_INSTALL_RPATH "$ORIGIN/../lib")
  file(GLOB TRAINYARD_TORCH_LIBRARIES
    ${TRAINYARD_TORCH_DIR}/lib/libtorch_cpu.so ${TRAINYARD_TORCH_DIR}/lib/libc10.so
    ${TRAINYARD_TORCH_DIR}/lib/libgomp.so.1
    ${TRAINYARD_TORCH_DIR}/../nvidia/cu13/lib/libcupti.so.13
    ${TRAINYARD_TORCH_DIR}/../nvidia/cu13/lib/libcudart.so.13)
  install(FILES ${TRAINYARD_TORCH_LIBRARIES} DESTINATION lib)
endif()
install(DIRECTORY examples/specs DESTINATION share/trainyard/examples)
install(DIRECTORY proto/trainyard DESTINATION share/trainyard/proto FILES_MATCHING PATTERN *.proto)
install(FILES deploy/agent.yaml deploy/coordinator.yaml deploy/README.md
  DESTINATION share/trainyard/deploy)
install(FILES LICENSE README.md DESTINATION share/trainyard)
