// Tensors with the names they have in a model or a checkpoint, sharing storage with their owner.

#ifndef TRAINYARD_WORKER_NAMED_TENSOR_H_
#define TRAINYARD_WORKER_NAMED_TENSOR_H_

#include <vector>

#include "checkpoint/tensor_io.h"

namespace trainyard::worker {

using checkpoint::NamedTensor;
using NamedTensors = std::vector<NamedTensor>;

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_NAMED_TENSOR_H_
