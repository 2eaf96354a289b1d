// Elastic roles of running attempts: singles that died start again, and the count follows what is
// wanted.

#ifndef TRAINYARD_COORDINATOR_CORE_ELASTIC_H_
#define TRAINYARD_COORDINATOR_CORE_ELASTIC_H_

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Stores the wanted count. Refuses: NotFound (job), InvalidArgument (role, count),
// FailedPrecondition (terminal), Aborted (another etag).
void OnScaleJob(Draft& draft, const ScaleJob& event);

// How far a job is filled up.
enum class FillTo {
  kGang,    // the least it needs; before the queue gets its turn
  kWanted,  // all of it, on nodes that nobody waits for
};

// Starts missing elastic tasks of every job that runs.
void FillElastic(Draft& draft, FillTo fill_to);

// Stops what is more than wanted, the highest index first.
void ShrinkElastic(Draft& draft, Job& job);

// An elastic task came to its end, or became ready: the back-off of its seat.
void RecordSeat(Draft& draft, const Task& task, bool was_ready);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_ELASTIC_H_
