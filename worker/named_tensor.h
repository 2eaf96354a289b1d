// A tensor with the name it has in a model or a checkpoint.

#ifndef TRAINYARD_WORKER_NAMED_TENSOR_H_
#define TRAINYARD_WORKER_NAMED_TENSOR_H_

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace trainyard::worker {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;  // shares its storage with the owner's
};

using NamedTensors = std::vector<NamedTensor>;

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_NAMED_TENSOR_H_
