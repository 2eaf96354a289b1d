#include "coordinator/core/queue.h"

#include <algorithm>
#include <vector>

#include "coordinator/core/attempt.h"
#include "coordinator/core/explain.h"
#include "coordinator/core/placement.h"

namespace trainyard::coordinator {
namespace {

// The nodes that any task of the gang could ever use.
void Reserve(const PlacementRequest& request, const Room& empty, std::set<std::string>& reserved) {
  for (const NodeRoom& node : empty.nodes) {
    const bool useful =
        std::any_of(request.seats.begin(), request.seats.end(), [&](const Seat& seat) {
          const Resources& asks = *seat.resources;
          return Eligible(*node.offer, asks, *request.roots) &&
                 node.gpus.size() >= static_cast<size_t>(asks.gpus) &&
                 node.cpu_milli >= asks.cpu_milli && node.memory_bytes >= asks.memory_bytes;
        });
    if (useful) reserved.insert(node.name);
  }
}

void Remember(Draft& draft, Job& job, const std::string& reason) {
  if (job.record.reason != reason) draft.Edit(job).reason = reason;
}

}  // namespace

bool BackoffEnded(const State& state, absl::Time now) {
  const auto just_ended = [&](absl::Time not_before) {
    return not_before > state.last_step && not_before <= now;
  };
  for (const QueueKey& key : state.queue) {
    if (just_ended(state.jobs.at(std::get<2>(key)).record.not_before)) return true;
  }
  for (const std::string& id : state.active) {
    for (const auto& [seat, history] : state.jobs.at(id).seats) {
      if (just_ended(history.not_before)) return true;
    }
  }
  return false;
}

void RunQueue(Draft& draft) {
  State& state = draft.state();
  state.reserved_nodes.clear();
  state.queue_full_at.reset();
  if (state.queue.empty()) return;
  Room room = MakeRoom(state, Occupied::kByTasks);
  const Room empty = MakeRoom(state, Occupied::kByNobody);
  Room trial = empty;
  for (auto next = state.queue.begin(); next != state.queue.end();) {
    const QueueKey key = *next++;  // a job that starts leaves the queue
    Job& job = *state.FindJob(std::get<2>(key));
    if (job.record.not_before > draft.now()) continue;
    const PlacementRequest request{job.record.id, GangOf(job.record), &job.record.shape->roots,
                                   nullptr};
    if (request.seats.empty()) continue;
    if (const auto places = PlaceAll(request, room)) {
      StartAttempt(draft, job, request.seats, *places);
      continue;
    }
    if (PlaceAll(request, trial).has_value()) {
      trial = empty;
      Reserve(request, empty, state.reserved_nodes);
      const auto reserved = [&](const NodeRoom& node) {
        return state.reserved_nodes.count(node.name) > 0;
      };
      room.nodes.erase(std::remove_if(room.nodes.begin(), room.nodes.end(), reserved),
                       room.nodes.end());
      Remember(draft, job, "waits for resources that other jobs hold");
    } else {
      Remember(draft, job, DescribeMisfit(state, job.record));
    }
    if (!room.nodes.empty()) continue;
    state.queue_full_at = key;
    return;
  }
}

}  // namespace trainyard::coordinator
