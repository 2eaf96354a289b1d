// From the plain vectors of a micro-batch to the tensors that the model takes.

#ifndef TRAINYARD_WORKER_MICRO_BATCH_TENSORS_H_
#define TRAINYARD_WORKER_MICRO_BATCH_TENSORS_H_

#include "absl/status/statusor.h"
#include "data/train_batch.h"
#include "model/loss.h"
#include "model/transformer.h"

namespace trainyard::worker {

// Where the model's parameters are.
at::Device DeviceOf(const model::Model& model);

// The rows of a micro-batch, padded as the model wants them. InvalidArgument: tokens or positions
// outside of the model.
absl::StatusOr<model::PackedTokens> PackMicroBatch(const model::Model& model,
                                                   const data::MicroBatch& micro_batch);

// Targets and weights of all rows of `packed`; rows of padding and rows without target weigh 0.
model::CrossEntropyTargets TargetsOf(const data::MicroBatch& micro_batch,
                                     const model::PackedTokens& packed);

// Row of the last token of each segment.
at::Tensor LastRows(const model::PackedTokens& packed);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_MICRO_BATCH_TENSORS_H_
