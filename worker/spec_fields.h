// Pieces that the specs of several kinds of training share, from protobuf to plain structs. Inside
// of the *_spec.cc files only.

#ifndef TRAINYARD_WORKER_SPEC_FIELDS_H_
#define TRAINYARD_WORKER_SPEC_FIELDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/adapter_options.h"
#include "task/assignment.h"
#include "trainyard/v1/config.pb.h"
#include "worker/train_job.h"

namespace trainyard::worker {

// A reference to an artifact of rows is the one .jsonl file in its directory.
absl::StatusOr<std::vector<data::SourceSpec>> ParseSources(
    const google::protobuf::RepeatedPtrField<v1::DataSource>& sources,
    const task::Assignment& assignment);
absl::StatusOr<data::SourceSpec> ParseSource(const v1::DataSource& source,
                                             const task::Assignment& assignment);

absl::StatusOr<OptimizerJob> ParseOptimizer(const v1::OptimizerSpec& spec);
absl::StatusOr<checkpoint::DType> ParseDtype(v1::Dtype dtype);
// Rank and targets are checked against the model by model::AddAdapters.
absl::StatusOr<model::AdapterOptions> ParseLora(const v1::LoraSpec& spec);
absl::StatusOr<NewModel> ParseModel(const v1::ModelSpec& spec);
absl::StatusOr<LoopOptions> ParseLoop(const v1::LoopSpec& spec);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_SPEC_FIELDS_H_
