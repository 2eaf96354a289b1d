// Copies a policy's tensors into memory that rollout tasks read.

#ifndef TRAINYARD_WORKER_WEIGHTS_SNAPSHOT_H_
#define TRAINYARD_WORKER_WEIGHTS_SNAPSHOT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "worker/named_tensor.h"
#include "worker/published_weights.h"

namespace trainyard::worker {

// The tensors' values as they are now, back to back in their order, with checksums and digest; who
// calls fills in version, configuration and tokenizer. On at::get_num_threads() threads.
// ResourceExhausted when there is no memory, InvalidArgument for a type that has no name in
// safetensors. May throw what torch throws.
absl::StatusOr<std::shared_ptr<PublishedWeights>> SnapshotWeights(const NamedTensors& tensors,
                                                                  SnapshotMemory& memory);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_WEIGHTS_SNAPSHOT_H_
