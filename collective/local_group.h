// Ranks as threads of one process: for tests, and for a world of one rank.

#ifndef TRAINYARD_COLLECTIVE_LOCAL_GROUP_H_
#define TRAINYARD_COLLECTIVE_LOCAL_GROUP_H_

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "collective/group.h"

namespace trainyard::collective {

// One Group per rank, for one thread each. Sums are taken in the order of ranks. The groups share
// what they meet in; each may be destroyed when its thread is done.
std::vector<std::unique_ptr<Group>> LocalGroups(int world_size, absl::Duration timeout);

// The group of a world of one: every call is a copy or nothing.
std::unique_ptr<Group> SingleRankGroup();

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_LOCAL_GROUP_H_
