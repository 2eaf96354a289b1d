// The coordinator as a process that can die, stall and lose its disk: the real core over SimStore.

#ifndef TRAINYARD_TESTS_SIMULATION_SIM_COORDINATOR_H_
#define TRAINYARD_TESTS_SIMULATION_SIM_COORDINATOR_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/core.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"
#include "tests/support/sim_store.h"

namespace trainyard::simulation {

struct SimCoordinatorOptions {
  coordinator::CoreOptions core;
  // Deliberate fault: answers do not wait for the disk.
  bool reply_before_durable = false;
};

class SimCoordinator : public Server, public Actor {
 public:
  SimCoordinator(World* world, Network* network, Invariants* invariants,
                 SimCoordinatorOptions options);

  void Start();
  void Crash(absl::Duration away);
  // Nothing is done for so long; then all at once.
  void Stall(absl::Duration how_long);
  // The disk is slow for so long.
  void SlowDisk(absl::Duration how_long) { slow_until_ = world_.now() + how_long; }
  void FailDisk();
  void FullDisk(absl::Duration how_long);

  bool up() const override { return core_ != nullptr; }
  void OnEvent(coordinator::Event event) override;

  // Null while it is down.
  const coordinator::Core* core() const { return core_.get(); }
  const coordinator::SimDisk& disk() const { return disk_; }
  // Events that were neither ticks nor heartbeats.
  int64_t events() const { return events_; }

 private:
  void Step(const coordinator::Event& event);
  // What came while it was stalled.
  void CatchUp();
  void TickForever();
  void ScheduleSync();
  void ScheduleDue();
  void OnDurable(const absl::StatusOr<int64_t>& revision);
  void Release();
  void Emit(const coordinator::Decision& decision);

  Network& network_;
  Invariants& invariants_;
  const SimCoordinatorOptions options_;
  coordinator::SimDisk disk_;
  std::unique_ptr<coordinator::SimStore> store_;
  std::unique_ptr<coordinator::Core> core_;
  std::deque<coordinator::Decision> outbox_;
  std::vector<coordinator::Event> waiting_;  // while stalled
  absl::Duration stalled_until_ = -absl::InfiniteDuration();
  absl::Duration slow_until_ = -absl::InfiniteDuration();
  bool sync_scheduled_ = false;
  bool due_scheduled_ = false;
  int64_t events_ = 0;
};

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_SIM_COORDINATOR_H_
