// Where a run writes, and who it is.

#ifndef TRAINYARD_WORKER_RUN_PLACE_H_
#define TRAINYARD_WORKER_RUN_PLACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "checkpoint/store.h"
#include "task/assignment.h"

namespace trainyard::worker {

struct RunPlace {
  std::string job_id;
  std::string uri;        // root://... of the run
  std::string directory;  // the same, here
  uint64_t epoch = 0;     // this attempt writes beneath <run>/e<epoch>/ only
  bool stand_alone = false;
  std::string numerics_id;
};

// The place of an assignment. Without a coordinator every start takes the first epoch that has no
// directory yet, so that nothing of an earlier start is overwritten.
absl::StatusOr<RunPlace> PlaceOf(const task::Assignment& assignment);

// Committed checkpoints that this attempt may go on from, newest first: the assignment's list;
// without a coordinator what lies in the run's directory.
absl::StatusOr<std::vector<checkpoint::Candidate>> RestoreCandidates(
    const task::Assignment& assignment, const RunPlace& place);

// An output of the run, under construction: <run>/e<epoch>/<name>/.
struct Output {
  std::string name;       // "model", "tokenizer", "tokens"
  std::string type;       // as artifact.proto: "model", "reward_model", ...
  std::string directory;  // made by BeginOutput
};
absl::StatusOr<Output> BeginOutput(const RunPlace& place, const std::string& name,
                                   const std::string& type);

// Writes its manifest over `files`: from then on it is an artifact.
absl::StatusOr<task::Artifact> CommitOutput(const RunPlace& place, const Output& output,
                                            const std::vector<checkpoint::FileRecord>& files,
                                            const Json& sections);

// The record of an output whose manifest stands already.
task::Artifact ArtifactOf(const RunPlace& place, const Output& output,
                          const std::string& manifest_sha256, int64_t size_bytes);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_RUN_PLACE_H_
