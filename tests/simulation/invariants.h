// What must hold after every event, whatever fails.

#ifndef TRAINYARD_TESTS_SIMULATION_INVARIANTS_H_
#define TRAINYARD_TESTS_SIMULATION_INVARIANTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/decision.h"
#include "coordinator/core/event.h"
#include "coordinator/core/records.h"
#include "coordinator/core/state.h"
#include "tests/simulation/world.h"
#include "tests/support/sim_store.h"

namespace trainyard::simulation {

// A process that runs on a node, whatever anybody believes.
struct RunningProcess {
  uint64_t task_uid = 0;
  std::string job_id;
  coordinator::Resources resources;
  std::vector<std::string> gpus;
};

class Invariants {
 public:
  explicit Invariants(World* world) : world_(*world) {}

  // A coordinator starts from what is durable: nothing acknowledged is missing, nothing that was
  // terminal has changed.
  void OnStart(const coordinator::Snapshot& snapshot);
  void AfterStep(const coordinator::Event& event, const coordinator::Decision& decision,
                 const coordinator::State& state);
  // With nothing on its way to the disk, what is remembered and what is stored are the same.
  void MemoryEqualsDisk(const coordinator::State& state, const coordinator::SimDisk& disk);
  // Something of a decision leaves the coordinator.
  void OnLeave(const coordinator::Decision& decision, int64_t durable_revision);
  // A caller or a task has heard that this is so.
  void OnAcknowledged(const coordinator::Reply& reply);
  // A process was started on the node.
  void OnProcesses(const coordinator::NodeOffer& offer,
                   const std::vector<RunningProcess>& processes);
  // Nothing more will happen: every job is terminal and every slot is free.
  void AtTheEnd(const coordinator::State& state);

 private:
  void CheckRevisions(const coordinator::Decision& decision);
  void CheckTerminal(const coordinator::Event& event, const coordinator::Decision& decision);
  void CheckCommits(const coordinator::Decision& decision, const coordinator::State& state);
  void CheckCapacity(const coordinator::State& state);
  void CheckIndexes(const coordinator::State& state);

  World& world_;
  int64_t revision_ = 0;
  int64_t acknowledged_ = 0;  // highest revision somebody heard of
  std::map<std::string, coordinator::JobState> states_;
  std::map<std::string, uint64_t> epochs_;         // highest seen
  // What was ever committed, by uri: its job and request.
  std::map<std::string, std::pair<std::string, std::string>> writers_;
  std::map<std::string, uint64_t> commit_epochs_;  // of the last commit
  std::set<std::string> acknowledged_jobs_;
  std::map<std::string, std::string> job_by_request_;
};

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_INVARIANTS_H_
