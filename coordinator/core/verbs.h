// What users do to jobs that exist: cancel, pause, resume, retry.

#ifndef TRAINYARD_COORDINATOR_CORE_VERBS_H_
#define TRAINYARD_COORDINATOR_CORE_VERBS_H_

#include <string>

#include "coordinator/core/draft.h"

namespace trainyard::coordinator {

// Answers with the job. Doing what is done already is OK; a terminal job can be "cancelled" and
// stays what it is. Refuses: NotFound, FailedPrecondition (the state does not allow it),
// AlreadyExists (retry: a live job took the name).
void OnChangeJob(Draft& draft, const ChangeJob& event);

// Nothing when the job is terminal.
void CancelJob(Draft& draft, Job& job, const std::string& why);

// A FAILED or CANCELLED job begins again, from its last checkpoint, with fresh attempts.
void RetryJob(Draft& draft, Job& job);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_VERBS_H_
