// Where the tasks of a gang go: pure functions over what the nodes have free.

#ifndef TRAINYARD_COORDINATOR_CORE_PLACEMENT_H_
#define TRAINYARD_COORDINATOR_CORE_PLACEMENT_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "coordinator/core/records.h"
#include "coordinator/core/state.h"

namespace trainyard::coordinator {

// A device and what is free of it. With holders it is shared by tasks of one (job, group).
struct GpuRoom {
  absl::string_view uuid;
  double free_fraction = 1;
  absl::string_view job_id;  // empty = free
  absl::string_view group;
};

struct NodeRoom {
  absl::string_view name;
  uint64_t incarnation = 0;
  const NodeOffer* offer = nullptr;
  int64_t cpu_milli = 0;  // may be negative when the node came back smaller
  int64_t memory_bytes = 0;
  std::vector<GpuRoom> gpus;
};

// What the cluster has free, in order of the nodes' names. A value; the State it was made from and
// the requests that were placed in it must outlive it.
struct Room {
  std::vector<NodeRoom> nodes;
};

// One task that wants a place.
struct Seat {
  absl::string_view role;
  int index = 0;
  const Resources* resources = nullptr;
};

struct Placing {
  std::string node;
  uint64_t node_incarnation = 0;
  std::vector<std::string> gpus;
};

struct PlacementRequest {
  absl::string_view job_id;
  std::vector<Seat> seats;
  const std::vector<std::string>* roots = nullptr;
  const std::set<std::string>* avoid = nullptr;  // nodes not to be used; may be null
};

enum class Occupied { kByTasks, kByNobody };

// The nodes that take new tasks (alive, connected, not cordoned), with what is free on them; with
// kByNobody as if no task ran.
Room MakeRoom(const State& state, Occupied occupied);

// One node's room, whether or not it takes new tasks.
NodeRoom MakeNodeRoom(const State& state, const Node& node, Occupied occupied);

// Does the node satisfy the selector and prove the roots, whatever is free on it.
bool Eligible(const NodeOffer& offer, const Resources& resources,
              const std::vector<std::string>& roots);

// A place for every seat, in the order of the seats, taken out of `room`; or nothing, and `room` as
// it was. All on one node when one has room, else first fit in decreasing size.
std::optional<std::vector<Placing>> PlaceAll(const PlacementRequest& request, Room& room);

// Whether PlaceAll would find a place; `room` is left as it was.
bool CanPlaceAll(const PlacementRequest& request, Room& room);

// The different wishes among the seats.
std::vector<const Resources*> WishesOf(const std::vector<Seat>& seats);

// The seats that must all have a place before the job starts: every fixed task and the least of
// each elastic role.
std::vector<Seat> GangOf(const JobRecord& job);

// Least number of tasks of the role in a gang.
int GangCount(const JobRecord& job, const RoleShape& role);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_PLACEMENT_H_
