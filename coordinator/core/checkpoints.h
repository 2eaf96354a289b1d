// Commits: the coordinator's row is what makes a checkpoint exist, and what makes a job finished.

#ifndef TRAINYARD_COORDINATOR_CORE_CHECKPOINTS_H_
#define TRAINYARD_COORDINATOR_CORE_CHECKPOINTS_H_

#include <string>
#include <vector>

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Answers with the revision and what may be deleted. The same request id again: the same answer.
// Refuses with the statuses of CheckRights, and
//   InvalidArgument     the uri is not below <run>/e<epoch>/
//   FailedPrecondition  a later step of this epoch is committed, or the job has finished
void OnCommitCheckpoint(Draft& draft, const CommitCheckpoint& event);

// Keeps the outputs; the job is SUCCEEDED once its tasks are gone. Idempotent by request id.
void OnFinishJob(Draft& draft, const FinishJob& event);

// Rows that are neither among the `keep` newest nor the best by metric. `rows` newest first.
std::vector<CheckpointRow> Prunable(const std::vector<CheckpointRow>& rows, int keep);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_CHECKPOINTS_H_
