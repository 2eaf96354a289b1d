// Inside of collective/ only: a Group over any c10d back end.

#ifndef TRAINYARD_COLLECTIVE_C10D_GROUP_H_
#define TRAINYARD_COLLECTIVE_C10D_GROUP_H_

#include <memory>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collective/gloo_group.h"
#include "collective/group.h"
#include "collective/store.h"

namespace trainyard::collective {

// Says in the store that this rank has come and waits for all others. DeadlineExceeded names the
// ranks that did not come within options.join_timeout.
absl::Status AwaitAllRanks(Store& store, const GroupOptions& options);

// Takes over a connected back end. Errors of its calls name the rank that is gone, by Presence.
absl::StatusOr<std::unique_ptr<Group>> MakeC10dGroup(c10::intrusive_ptr<c10d::Backend> backend,
                                                     std::unique_ptr<Store> store,
                                                     const GroupOptions& options);

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_C10D_GROUP_H_
