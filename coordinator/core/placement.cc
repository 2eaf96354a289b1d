#include "coordinator/core/placement.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace trainyard::coordinator {
namespace {

// Fractions are sums of a few short decimals.
constexpr double kFractionSlack = 1e-9;

double FractionOf(const Resources& resources) {
  return resources.gpu_memory_fraction > 0 ? resources.gpu_memory_fraction : 1.0;
}

bool Shares(const Resources& resources) { return !resources.device_group.empty(); }

void Occupy(GpuRoom& gpu, absl::string_view job_id, const Resources& resources) {
  gpu.job_id = job_id;
  gpu.group = resources.device_group;
  gpu.free_fraction = Shares(resources) ? gpu.free_fraction - FractionOf(resources) : 0;
}

bool CanHold(const GpuRoom& gpu, absl::string_view job_id, const Resources& resources) {
  if (gpu.job_id.empty()) return true;
  return Shares(resources) && gpu.job_id == job_id && gpu.group == resources.device_group &&
         gpu.free_fraction + kFractionSlack >= FractionOf(resources);
}

// A device for the task: one that its group holds already before a free one.
GpuRoom* ChooseGpu(NodeRoom& node, absl::string_view job_id, const Resources& resources) {
  GpuRoom* chosen = nullptr;
  for (GpuRoom& gpu : node.gpus) {
    if (!CanHold(gpu, job_id, resources)) continue;
    if (!gpu.job_id.empty()) return &gpu;
    if (chosen == nullptr) chosen = &gpu;
  }
  return chosen;
}

bool Fits(NodeRoom& node, const PlacementRequest& request, const Resources& resources) {
  if (node.cpu_milli < resources.cpu_milli || node.memory_bytes < resources.memory_bytes) {
    return false;
  }
  if (resources.gpus > 0 && ChooseGpu(node, request.job_id, resources) == nullptr) return false;
  if (request.avoid != nullptr && request.avoid->count(std::string(node.name)) > 0) return false;
  return Eligible(*node.offer, resources, *request.roots);
}

Placing Take(NodeRoom& node, const PlacementRequest& request, const Resources& resources) {
  Placing placing{std::string(node.name), node.incarnation, {}};
  node.cpu_milli -= resources.cpu_milli;
  node.memory_bytes -= resources.memory_bytes;
  if (resources.gpus > 0) {
    GpuRoom* gpu = ChooseGpu(node, request.job_id, resources);
    Occupy(*gpu, request.job_id, resources);
    placing.gpus.emplace_back(gpu->uuid);
  }
  return placing;
}

// Indexes of the seats, the hardest to place first.
std::vector<size_t> Decreasing(const std::vector<Seat>& seats) {
  std::vector<size_t> order(seats.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const Resources& x = *seats[a].resources;
    const Resources& y = *seats[b].resources;
    if (&x == &y) return false;
    return std::make_tuple(x.gpus, FractionOf(x), x.cpu_milli, x.memory_bytes) >
           std::make_tuple(y.gpus, FractionOf(y), y.cpu_milli, y.memory_bytes);
  });
  return order;
}

Resources SumOf(const std::vector<Seat>& seats) {
  Resources sum;
  for (const Seat& seat : seats) {
    sum.gpus += Shares(*seat.resources) ? 0 : seat.resources->gpus;
    sum.cpu_milli += seat.resources->cpu_milli;
    sum.memory_bytes += seat.resources->memory_bytes;
  }
  return sum;
}

bool MayHoldAll(const NodeRoom& node, const Resources& sum) {
  return node.cpu_milli >= sum.cpu_milli && node.memory_bytes >= sum.memory_bytes &&
         node.gpus.size() >= static_cast<size_t>(sum.gpus);
}

// Places on one node, which is then what is left of it; spoilt when it has no room.
std::optional<std::vector<Placing>> PlaceOnOne(const PlacementRequest& request,
                                               const std::vector<size_t>& order, NodeRoom& node) {
  std::vector<Placing> places(request.seats.size());
  for (size_t i : order) {
    const Resources& resources = *request.seats[i].resources;
    if (!Fits(node, request, resources)) return std::nullopt;
    places[i] = Take(node, request, resources);
  }
  return places;
}

// The nodes that were taken from, as they were.
using Before = std::map<size_t, NodeRoom>;

void Restore(Before& before, Room& room) {
  for (auto& [index, node] : before) room.nodes[index] = std::move(node);
}

std::optional<std::vector<Placing>> PlaceOnMany(const PlacementRequest& request,
                                                const std::vector<size_t>& order, Room& room,
                                                Before& before) {
  std::vector<Placing> places(request.seats.size());
  // Equal seats come one after another: what had no room for the last has none for the next.
  size_t begin = 0;
  const Resources* last = nullptr;
  for (size_t i : order) {
    const Resources& resources = *request.seats[i].resources;
    if (last != nullptr && last != &resources && !(resources == *last)) begin = 0;
    last = &resources;
    while (begin < room.nodes.size() && !Fits(room.nodes[begin], request, resources)) ++begin;
    if (begin == room.nodes.size()) return std::nullopt;
    before.emplace(begin, room.nodes[begin]);
    places[i] = Take(room.nodes[begin], request, resources);
  }
  return places;
}

// Fills `before` when it changes the room.
std::optional<std::vector<Placing>> Place(const PlacementRequest& request, Room& room,
                                          Before& before) {
  const std::vector<size_t> order = Decreasing(request.seats);
  if (request.seats.size() > 1) {
    const Resources sum = SumOf(request.seats);
    for (size_t i = 0; i < room.nodes.size(); ++i) {
      NodeRoom& node = room.nodes[i];
      if (!MayHoldAll(node, sum)) continue;
      if (!Fits(node, request, *request.seats[order.front()].resources)) continue;
      NodeRoom as_it_was = node;
      auto places = PlaceOnOne(request, order, node);
      if (places.has_value()) {
        before.emplace(i, std::move(as_it_was));
        return places;
      }
      node = std::move(as_it_was);
    }
  }
  return PlaceOnMany(request, order, room, before);
}

}  // namespace

NodeRoom MakeNodeRoom(const State& state, const Node& node, Occupied occupied) {
  NodeRoom room;
  room.name = node.record.name;
  room.incarnation = node.record.incarnation;
  room.offer = &node.record.offer;
  room.cpu_milli = node.record.offer.cpu_milli;
  room.memory_bytes = node.record.offer.memory_bytes;
  room.gpus.reserve(node.record.offer.gpus.size());
  for (const Gpu& gpu : node.record.offer.gpus) room.gpus.push_back({gpu.uuid, 1, {}, {}});
  if (occupied == Occupied::kByNobody) return room;
  for (uint64_t uid : node.tasks) {
    const TaskRecord& task = state.tasks.at(uid).record;
    if (state.options.mutation.double_placement && task.state == TaskState::kStarting) continue;
    room.cpu_milli -= task.resources.cpu_milli;
    room.memory_bytes -= task.resources.memory_bytes;
    for (GpuRoom& gpu : room.gpus) {
      if (std::find(task.gpus.begin(), task.gpus.end(), gpu.uuid) != task.gpus.end()) {
        Occupy(gpu, task.job_id, task.resources);
      }
    }
  }
  return room;
}

Room MakeRoom(const State& state, Occupied occupied) {
  Room room;
  for (const auto& [name, node] : state.nodes) {
    const bool usable =
        node.record.state == NodeState::kAlive && !node.record.cordoned && node.session != 0;
    if (usable) room.nodes.push_back(MakeNodeRoom(state, node, occupied));
  }
  return room;
}

bool Eligible(const NodeOffer& offer, const Resources& resources,
              const std::vector<std::string>& roots) {
  for (const auto& [label, value] : resources.node_selector) {
    const auto it = offer.labels.find(label);
    if (it == offer.labels.end() || it->second != value) return false;
  }
  return std::all_of(roots.begin(), roots.end(),
                     [&](const std::string& root) { return offer.roots.count(root) > 0; });
}

std::optional<std::vector<Placing>> PlaceAll(const PlacementRequest& request, Room& room) {
  Before before;
  auto places = Place(request, room, before);
  if (!places.has_value()) Restore(before, room);
  return places;
}

bool CanPlaceAll(const PlacementRequest& request, Room& room) {
  Before before;
  const bool can = Place(request, room, before).has_value();
  Restore(before, room);
  return can;
}

std::vector<const Resources*> WishesOf(const std::vector<Seat>& seats) {
  std::vector<const Resources*> wishes;
  for (const Seat& seat : seats) {
    const auto same = [&](const Resources* wish) {
      return wish == seat.resources || *wish == *seat.resources;
    };
    if (std::none_of(wishes.begin(), wishes.end(), same)) wishes.push_back(seat.resources);
  }
  return wishes;
}

int GangCount(const JobRecord& job, const RoleShape& role) {
  if (!role.elastic) return role.count;
  return std::min(std::max(role.min_count, 1), WantedCount(job, role));
}

std::vector<Seat> GangOf(const JobRecord& job) {
  std::vector<Seat> seats;
  int total = 0;
  for (const RoleShape& role : job.shape->roles) total += GangCount(job, role);
  seats.reserve(total);
  for (const RoleShape& role : job.shape->roles) {
    const int count = GangCount(job, role);
    for (int index = 0; index < count; ++index) {
      seats.push_back({role.name, index, &role.resources});
    }
  }
  return seats;
}

}  // namespace trainyard::coordinator
