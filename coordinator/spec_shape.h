// From a valid spec to what is stored and decided by: defaults filled in, then the core's plain
// JobShape. Protobuf stops here. Pure functions.

#ifndef TRAINYARD_COORDINATOR_SPEC_SHAPE_H_
#define TRAINYARD_COORDINATOR_SPEC_SHAPE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "coordinator/core/records.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::coordinator {

// Fills in what the user left out: name (KIND-ID's last letters), roles with counts, resources and
// threads, run_uri (root://runs/ID), max_attempts. `spec` is valid and `id` the job's.
void FillDefaults(absl::string_view id, v1::JobSpec* spec);

// The same for every stage; run_uri of a stage is the pipeline's (root://runs/ID) + "/" + its name.
void FillPipelineDefaults(absl::string_view id, v1::PipelineSpec* spec);

// Artifacts that this spec reads, each once, in order of appearance.
std::vector<ArtifactInput> InputsOf(const v1::JobSpec& spec);

// Names of the roots that this spec reads or writes, sorted, each once.
std::vector<std::string> RootsOf(const v1::JobSpec& spec);

// The shape of a spec with its defaults filled in.
JobShape ShapeOf(const v1::JobSpec& spec);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SPEC_SHAPE_H_
