#include "coordinator/core/explain.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/placement.h"

namespace trainyard::coordinator {
namespace {

// How many more nodes a remedy may ask for.
constexpr int kMostNodes = 64;

struct Misfit {
  std::string constraint;
  std::string message;
};

std::string Selector(const Resources& asks) {
  return absl::StrJoin(asks.node_selector, ", ", absl::PairFormatter("="));
}

std::string Ask(const Resources& asks) {
  return absl::StrCat(asks.gpus, " gpu, ", asks.cpu_milli, " milli-cpu, ", asks.memory_bytes >> 20,
                      " MiB");
}

// The first dimension in which no node is large enough for one seat.
std::optional<Misfit> SeatMisfit(const Room& room, const Seat& seat,
                                 const std::vector<std::string>& roots) {
  const Resources& asks = *seat.resources;
  const std::string who = absl::StrCat("role '", seat.role, "' asks for ");
  std::vector<const NodeRoom*> fit;
  for (const NodeRoom& node : room.nodes) fit.push_back(&node);
  const auto keep = [&](auto&& predicate) {
    fit.erase(std::remove_if(fit.begin(), fit.end(),
                             [&](const NodeRoom* node) { return !predicate(*node); }),
              fit.end());
    return !fit.empty();
  };
  if (!keep([&](const NodeRoom& node) { return Eligible(*node.offer, asks, {}); })) {
    return Misfit{"selector", absl::StrCat(who, "a node with ", Selector(asks), ", there is none")};
  }
  if (!keep([&](const NodeRoom& node) { return Eligible(*node.offer, asks, roots); })) {
    return Misfit{"roots", absl::StrCat("no node offers every root of ", absl::StrJoin(roots, ", "),
                                        ": declare them in the agents' configuration")};
  }
  if (!keep([&](const NodeRoom& node) { return asks.gpus == 0 || !node.gpus.empty(); })) {
    return Misfit{"gpus", absl::StrCat(who, "a gpu, no node has one")};
  }
  int64_t most = 0;
  for (const NodeRoom* node : fit) most = std::max(most, node->cpu_milli);
  if (!keep([&](const NodeRoom& node) { return node.cpu_milli >= asks.cpu_milli; })) {
    return Misfit{"cpu",
                  absl::StrCat(who, asks.cpu_milli, " milli-cpu, the largest node has ", most)};
  }
  most = 0;
  for (const NodeRoom* node : fit) most = std::max(most, node->memory_bytes);
  if (!keep([&](const NodeRoom& node) { return node.memory_bytes >= asks.memory_bytes; })) {
    return Misfit{"memory", absl::StrCat(who, asks.memory_bytes >> 20,
                                         " MiB, the largest node has ", most >> 20, " MiB")};
  }
  return std::nullopt;
}

// The dimension that the gang as a whole exceeds.
Misfit GangMisfit(const Room& room, const std::vector<Seat>& seats) {
  Resources sum;
  for (const Seat& seat : seats) {
    sum.gpus += seat.resources->gpus;
    sum.cpu_milli += seat.resources->cpu_milli;
    sum.memory_bytes += seat.resources->memory_bytes;
  }
  int gpus = 0;
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  for (const NodeRoom& node : room.nodes) {
    for (const GpuRoom& gpu : node.gpus) gpus += gpu.job_id.empty() ? 1 : 0;
    cpu_milli += std::max<int64_t>(node.cpu_milli, 0);
    memory_bytes += std::max<int64_t>(node.memory_bytes, 0);
  }
  const std::string tasks = absl::StrCat("its ", seats.size(), " tasks need ");
  if (sum.cpu_milli > cpu_milli) {
    return {"cpu", absl::StrCat(tasks, sum.cpu_milli, " milli-cpu, there are ", cpu_milli)};
  }
  if (sum.memory_bytes > memory_bytes) {
    return {"memory", absl::StrCat(tasks, sum.memory_bytes >> 20, " MiB, there are ",
                                   memory_bytes >> 20, " MiB")};
  }
  if (sum.gpus > gpus) return {"gpus", absl::StrCat(tasks, sum.gpus, " gpus, there are ", gpus)};
  return {"count",
          absl::StrCat(tasks, "more room on single nodes than there is (the first asks for ",
                       Ask(*seats.front().resources), ")")};
}

Misfit MisfitIn(const State& state, const Room& room, const JobRecord& job) {
  if (room.nodes.empty()) {
    const size_t known = state.nodes.size();
    if (known == 0) return {"lost", "no node has registered: start an agent"};
    return {"lost", absl::StrCat("none of the ", known, " nodes takes tasks (lost or cordoned)")};
  }
  const std::vector<Seat> seats = GangOf(job);
  if (seats.empty()) return {"count", "every role is scaled to 0"};
  for (const Seat& seat : seats) {
    if (auto misfit = SeatMisfit(room, seat, job.shape->roots)) return *std::move(misfit);
  }
  return GangMisfit(room, seats);
}

bool FitsIn(Room& room, const JobRecord& job) {
  const PlacementRequest request{job.id, GangOf(job), &job.shape->roots, nullptr};
  return !request.seats.empty() && CanPlaceAll(request, room);
}

// Whether a node more of the one kind is as good as one of the other.
bool Alike(const NodeOffer& a, const NodeOffer& b) {
  return a.gpus.size() == b.gpus.size() && a.cpu_milli == b.cpu_milli &&
         a.memory_bytes == b.memory_bytes && a.labels == b.labels && a.roots == b.roots;
}

// One node of each kind.
std::vector<const Node*> Kinds(const State& state) {
  std::vector<const Node*> kinds;
  for (const auto& [name, node] : state.nodes) {
    const bool known = std::any_of(kinds.begin(), kinds.end(), [&](const Node* kind) {
      return Alike(kind->record.offer, node.record.offer);
    });
    if (!known) kinds.push_back(&node);
  }
  return kinds;
}

// One cordoned node that would be enough.
std::string RemedyCordon(const State& state, Room& room, const JobRecord& job) {
  for (const auto& [name, node] : state.nodes) {
    if (!node.record.cordoned || node.record.state != NodeState::kAlive) continue;
    room.nodes.push_back(MakeNodeRoom(state, node, Occupied::kByTasks));
    const bool fits = FitsIn(room, job);
    room.nodes.pop_back();
    if (fits) return absl::StrCat("uncordon node ", name);
  }
  return "";
}

// The fewest copies of one of the known nodes that would be enough.
std::string RemedyCount(const State& state, const Room& room, const JobRecord& job) {
  int fewest = kMostNodes + 1;
  std::string like;
  for (const Node* kind : Kinds(state)) {
    Room more = room;
    for (int extra = 1; extra < fewest; ++extra) {
      more.nodes.push_back(MakeNodeRoom(state, *kind, Occupied::kByNobody));
      if (!FitsIn(more, job)) continue;
      fewest = extra;
      like = kind->record.name;
    }
  }
  if (like.empty()) return "";
  return absl::StrCat("add ", fewest, fewest == 1 ? " node" : " nodes", " like ", like);
}

// Would it start if its tasks did not insist on their labels?
std::string RemedyKind(Room& room, const JobRecord& job) {
  JobShape shape = *job.shape;
  for (RoleShape& role : shape.roles) role.resources.node_selector.clear();
  JobRecord relaxed = job;
  relaxed.shape = std::make_shared<const JobShape>(std::move(shape));
  return FitsIn(room, relaxed) ? "drop the node_selector" : "";
}

Explanation ExplainQueued(const State& state, const Job& job, absl::Time now) {
  const JobRecord& record = job.record;
  if (record.not_before > now) {
    return {"backoff",
            absl::StrCat("it tries again in ", absl::FormatDuration(record.not_before - now)), ""};
  }
  Room room = MakeRoom(state, Occupied::kByTasks);
  if (FitsIn(room, record)) {
    return {"queue", "jobs before it in the queue wait for the same nodes", "raise its priority"};
  }
  const Misfit misfit = MisfitIn(state, room, record);
  Explanation explanation{misfit.constraint, misfit.message, RemedyCordon(state, room, record)};
  if (!explanation.remedy.empty()) explanation.constraint = "cordon";
  if (explanation.remedy.empty() && misfit.constraint == "selector") {
    explanation.remedy = RemedyKind(room, record);
  }
  if (explanation.remedy.empty()) explanation.remedy = RemedyCount(state, room, record);
  return explanation;
}

}  // namespace

std::string DescribeMisfit(const State& state, const JobRecord& job) {
  return MisfitIn(state, MakeRoom(state, Occupied::kByNobody), job).message;
}

Explanation ExplainJob(const State& state, const Job& job, absl::Time now) {
  switch (job.record.state) {
    case JobState::kBlocked:
      return {"after", job.record.reason, ""};
    case JobState::kPaused:
      return {"paused", "a user paused it", "resume it"};
    case JobState::kQueued:
      return ExplainQueued(state, job, now);
    default:
      return {};
  }
}

}  // namespace trainyard::coordinator
