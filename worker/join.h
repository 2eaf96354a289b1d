// The ranks of this attempt as a group: rendezvous through the session with the coordinator.

#ifndef TRAINYARD_WORKER_JOIN_H_
#define TRAINYARD_WORKER_JOIN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collective/group.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::worker {

// Before the address of rank 0's store where it stands as the endpoint of its task. A learner puts
// its service's address there once all ranks have joined; who looks for a service skips it.
inline constexpr char kRendezvousScheme[] = "rendezvous://";

// Tells the coordinator that this rank is there and joins the others of its role. All ranks must
// have `numerics_id`: FailedPrecondition names the rank that differs. Errors of JoinGroup;
// Cancelled when a stop was ordered meanwhile.
absl::StatusOr<std::unique_ptr<collective::Group>> JoinRanks(const task::Assignment& assignment,
                                                             const std::string& numerics_id,
                                                             task::TaskSession* session);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_JOIN_H_
