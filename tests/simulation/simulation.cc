#include "tests/simulation/simulation.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/sim_node.h"
#include "tests/simulation/sim_users.h"

namespace trainyard::simulation {
namespace {

// After the faults everything must come to rest within this (virtual) time.
constexpr absl::Duration kRest = absl::Minutes(20);
// A run that makes no events for so long is stuck.
constexpr absl::Duration kLongest = absl::Hours(3);

std::vector<SimNodeOptions> Machines() {
  constexpr int64_t kGiB = int64_t{1} << 30;
  return {{"node-a", 2, 4000, 16 * kGiB, {}},
          {"node-b", 2, 4000, 16 * kGiB, {}},
          {"node-c", 0, 6000, 8 * kGiB, {}},
          {"node-d", 1, 2000, 4 * kGiB, {{"zone", "far"}}}};
}

class Cluster : public Actor {
 public:
  Cluster(World* world, const SimulationOptions& options)
      : Actor(world),
        invariants_(world),
        network_(world),
        coordinator_(world, &network_, &invariants_, options.coordinator),
        options_(options) {
    network_.SetServer(&coordinator_);
    std::vector<std::string> names;
    for (SimNodeOptions& machine : Machines()) {
      names.push_back(machine.name);
      nodes_.push_back(std::make_unique<SimNode>(
          SimNode::Surroundings{world, &network_, &invariants_, &board_}, std::move(machine)));
    }
    users_ = std::make_unique<SimUsers>(world, &network_, &invariants_, std::move(names));
  }

  SimulationResult Run() {
    coordinator_.Start();
    for (auto& node : nodes_) node->Start();
    users_->Start();
    FaultForever();
    while (coordinator_.events() < options_.events && Sound()) world_.RunNext();
    Rest();
    return Result();
  }

 private:
  bool Sound() {
    if (world_.now() > kLongest) world_.Violate("the cluster does nothing any more");
    return world_.violations().empty();
  }

  void FaultForever() {
    Later(world_.Between(absl::Milliseconds(500), absl::Seconds(8)), [this] {
      if (!world_.faults()) return;
      Fault();
      FaultForever();
    });
  }

  void Fault() {
    SimNode& node = *nodes_[world_.Below(nodes_.size())];
    const auto away = world_.Between(absl::Milliseconds(200), absl::Seconds(20));
    switch (world_.Below(12)) {
      case 0:
      case 1:
        return coordinator_.Crash(away);
      case 2:
        return node.Crash(away);
      case 3:
        return node.Leave(away);
      case 4:
      case 5:
        return network_.Cut(node.name(), away * 2);
      case 6:
        return coordinator_.Stall(away / 2);
      case 7:
        return coordinator_.SlowDisk(away);
      case 8:
        return world_.Chance(0.3) ? coordinator_.FailDisk() : coordinator_.FullDisk(away);
      default:
        return network_.BreakOne();
    }
  }

  void Rest() {
    if (!world_.violations().empty()) return;
    world_.Trace("faults stop; everything is cancelled");
    world_.StopFaults();
    network_.Heal();
    users_->CancelEverything();
    const absl::Duration end = world_.now() + kRest;
    while (world_.now() < end && world_.violations().empty() && !Quiet()) world_.RunNext();
    if (world_.violations().empty() && coordinator_.up()) {
      invariants_.AtTheEnd(coordinator_.core()->state());
    }
  }

  // Nothing lives. Looked at now and then only.
  bool Quiet() {
    if (world_.now() < next_look_) return false;
    next_look_ = world_.now() + absl::Seconds(5);
    if (!coordinator_.up()) return false;
    const coordinator::State& state = coordinator_.core()->state();
    bool held = false;
    for (const auto& [name, node] : state.nodes) held |= !node.tasks.empty();
    return state.live.empty() && !held;
  }

  SimulationResult Result() {
    SimulationResult result;
    result.violations = world_.violations();
    result.trace.assign(world_.trace().begin(), world_.trace().end());
    result.events = coordinator_.events();
    for (const auto& event : coordinator_.disk().events) ++result.counts[event.type];
    return result;
  }

  Invariants invariants_;
  Network network_;
  SimCoordinator coordinator_;
  PeerBoard board_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::unique_ptr<SimUsers> users_;
  const SimulationOptions options_;
  absl::Duration next_look_;
};

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) {
  World world(options.seed);
  Cluster cluster(&world, options);
  return cluster.Run();
}

}  // namespace trainyard::simulation
