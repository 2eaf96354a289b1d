// Which queued job starts next: by priority, then in order of submission, gangs whole or not at
// all.

#ifndef TRAINYARD_COORDINATOR_CORE_QUEUE_H_
#define TRAINYARD_COORDINATOR_CORE_QUEUE_H_

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// One pass. A job that would fit the empty cluster but does not fit now keeps every node it could
// use for itself: nothing behind it starts there, so that large gangs do not starve. A job that
// does not fit even the empty cluster is passed over. Sets state.reserved_nodes.
void RunQueue(Draft& draft);

// Asks for a pass when the back-off of a queued job or an elastic seat has ended.
void EndBackoffs(State& state, absl::Time now);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_QUEUE_H_
