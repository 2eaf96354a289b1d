// The model of a training job: new or loaded, with the head that the objective needs, in the type
// it computes in, and back to an artifact at full precision.

#ifndef TRAINYARD_WORKER_TRAIN_MODEL_H_
#define TRAINYARD_WORKER_TRAIN_MODEL_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/transformer.h"
#include "model/weights.h"
#include "worker/named_tensor.h"
#include "worker/optimizer.h"
#include "worker/tokenizer_files.h"
#include "worker/train_job.h"

namespace trainyard::worker {

struct TrainModel {
  model::Model model;  // computes; its parameters want gradients
  // The starting values of what is trained, at full precision, where `model` is rounded (bf16);
  // else empty.
  std::vector<at::Tensor> exact;
  std::string base_digest;  // with adapters: model::FrozenDigest before rounding; else empty
};

// Builds it on `device`. InvalidArgument: a tokenizer with more ids than the model has rows; a
// config out of its limits. Errors of LoadModel.
absl::StatusOr<TrainModel> BuildTrainModel(const TrainJob& job, const TokenizerFiles& tokenizer,
                                           at::Device device);

// Gives the optimizer the exact starting values as its masters.
void UseExactMasters(const TrainModel& model, AdamW& optimizer);

// A copy of `model` on the host with the optimizer's masters as what was trained, without
// gradients.
absl::StatusOr<model::Model> TrainedModel(const model::Model& model, const AdamW& optimizer);

// Where adapters were trained on a rounded base: gives `trained` the weights of the files in its
// place. FailedPrecondition when the files are not what the run began with.
absl::Status UseExactBase(const TrainJob& job, const TokenizerFiles& tokenizer,
                          const std::string& base_digest, model::Model& trained);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_TRAIN_MODEL_H_
