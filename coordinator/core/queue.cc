#include "coordinator/core/queue.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "coordinator/core/attempt.h"
#include "coordinator/core/explain.h"
#include "coordinator/core/placement.h"

namespace trainyard::coordinator {
namespace {

const char kWaits[] = "waits for resources that other jobs hold";

// The nodes that any task of the gang could ever use.
void Reserve(const PlacementRequest& request, const Room& empty, std::set<std::string>& reserved) {
  const std::vector<const Resources*> wishes = WishesOf(request.seats);
  for (const NodeRoom& node : empty.nodes) {
    const bool useful = std::any_of(wishes.begin(), wishes.end(), [&](const Resources* asks) {
      return node.gpus.size() >= static_cast<size_t>(asks->gpus) &&
             node.cpu_milli >= asks->cpu_milli && node.memory_bytes >= asks->memory_bytes &&
             Eligible(*node.offer, *asks, *request.roots);
    });
    if (useful) reserved.insert(std::string(node.name));
  }
}

void Remember(Draft& draft, Job& job, const std::string& reason) {
  if (job.record.reason != reason) draft.Edit(job).reason = reason;
}

auto Wish(const Resources& r) {
  return std::tie(r.gpus, r.cpu_milli, r.memory_bytes, r.node_selector, r.device_group,
                  r.gpu_memory_fraction);
}

// Gangs that found no room in this pass. Room only shrinks during a pass, so whoever asks for as
// much of the same finds none either.
class Misfits {
 public:
  // Whether a gang that asks for no more of the same had no place.
  bool Covers(const JobRecord& job) const {
    const auto found = smallest_.find(KeyOf(job));
    if (found == smallest_.end()) return false;
    const std::vector<int> counts = CountsOf(job);
    return std::any_of(found->second.begin(), found->second.end(), [&](const auto& small) {
      return std::equal(small.begin(), small.end(), counts.begin(),
                        [](int least, int count) { return least <= count; });
    });
  }
  void Add(const JobRecord& job) { smallest_[KeyOf(job)].push_back(CountsOf(job)); }

 private:
  // What one task of each role wants, and where.
  struct Key {
    const JobShape* shape;
    bool operator<(const Key& other) const { return Compare(*shape, *other.shape) < 0; }
  };

  static int Compare(const JobShape& a, const JobShape& b) {
    if (&a == &b) return 0;
    if (a.roles.size() != b.roles.size()) return a.roles.size() < b.roles.size() ? -1 : 1;
    for (size_t i = 0; i < a.roles.size(); ++i) {
      const auto x = Wish(a.roles[i].resources);
      const auto y = Wish(b.roles[i].resources);
      if (x != y) return x < y ? -1 : 1;
    }
    if (a.roots != b.roots) return a.roots < b.roots ? -1 : 1;
    return 0;
  }
  static Key KeyOf(const JobRecord& job) { return {job.shape.get()}; }
  static std::vector<int> CountsOf(const JobRecord& job) {
    std::vector<int> counts;
    for (const RoleShape& role : job.shape->roles) counts.push_back(GangCount(job, role));
    return counts;
  }

  std::map<Key, std::vector<std::vector<int>>> smallest_;
};

// One pass over the queue.
class Pass {
 public:
  explicit Pass(Draft& draft)
      : draft_(draft), room_(MakeRoom(draft.state(), Occupied::kByTasks)) {}

  // False when every node is taken or kept: nobody behind the job can start.
  bool Try(Job& job) {
    if (misfits_.Covers(job.record) && !job.record.reason.empty()) return true;
    const PlacementRequest request{job.record.id, GangOf(job.record), &job.record.shape->roots,
                                   nullptr};
    if (request.seats.empty()) return true;
    if (const auto places = PlaceAll(request, room_)) {
      StartAttempt(draft_, job, request.seats, *places);
      return true;
    }
    misfits_.Add(job.record);
    if (CanPlaceAll(request, Empty())) {
      Keep(request);
      Remember(draft_, job, kWaits);
    } else {
      Remember(draft_, job, DescribeMisfit(draft_.state(), job.record));
    }
    return !room_.nodes.empty();
  }

 private:
  // The cluster without its tasks; most passes need it once or not at all.
  Room& Empty() {
    if (!empty_.has_value()) empty_ = MakeRoom(draft_.state(), Occupied::kByNobody);
    return *empty_;
  }

  // Nobody behind gets a node that the gang could use.
  void Keep(const PlacementRequest& request) {
    std::set<std::string>& reserved = draft_.state().reserved_nodes;
    Reserve(request, Empty(), reserved);
    const auto kept = [&](const NodeRoom& node) {
      return reserved.count(std::string(node.name)) > 0;
    };
    room_.nodes.erase(std::remove_if(room_.nodes.begin(), room_.nodes.end(), kept),
                      room_.nodes.end());
  }

  Draft& draft_;
  Room room_;
  std::optional<Room> empty_;
  Misfits misfits_;
};

}  // namespace

void EndBackoffs(State& state, absl::Time now) {
  const auto ended = state.backoff_ends.upper_bound(now);
  if (ended != state.backoff_ends.begin()) state.schedule = true;
  state.backoff_ends.erase(state.backoff_ends.begin(), ended);
}

void RunQueue(Draft& draft) {
  State& state = draft.state();
  state.reserved_nodes.clear();
  state.queue_full_at.reset();
  if (state.queue.empty()) return;
  Pass pass(draft);
  for (auto next = state.queue.begin(); next != state.queue.end();) {
    const QueueKey key = *next++;  // a job that starts leaves the queue
    Job& job = *state.FindJob(std::get<2>(key));
    if (job.record.not_before > draft.now() || pass.Try(job)) continue;
    state.queue_full_at = key;
    return;
  }
}

}  // namespace trainyard::coordinator
