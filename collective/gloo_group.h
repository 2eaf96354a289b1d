// The group of CPU ranks in processes of their own, over TCP: c10d's Gloo back end.

#ifndef TRAINYARD_COLLECTIVE_GLOO_GROUP_H_
#define TRAINYARD_COLLECTIVE_GLOO_GROUP_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collective/group.h"
#include "collective/store.h"

namespace trainyard::collective {

struct GroupOptions {
  int rank = 0;
  int world_size = 1;
  std::string host;             // name or address of this machine that the peers can reach
  absl::Duration join_timeout;  // deadline of connecting
  absl::Duration call_timeout;  // deadline of each call
};

// Connects all ranks with each other. DeadlineExceeded names the ranks that did not come. Gloo
// writes to peers that are gone: the process ignores SIGPIPE (BlockStopSignals).
absl::StatusOr<std::unique_ptr<Group>> MakeGlooGroup(std::unique_ptr<Store> store,
                                                     const GroupOptions& options);

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_GLOO_GROUP_H_
