// A machine: the real agent core, and the processes it starts. The agent can die (its tasks with
// it), leave and come back.

#ifndef TRAINYARD_TESTS_SIMULATION_SIM_NODE_H_
#define TRAINYARD_TESTS_SIMULATION_SIM_NODE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_task.h"
#include "tests/simulation/world.h"

namespace trainyard::simulation {

struct SimNodeOptions {
  std::string name;
  int gpus = 0;
  int64_t cpu_milli = 4000;
  int64_t memory_bytes = int64_t{16} << 30;
  std::map<std::string, std::string> labels;
};

class SimNode : public Client, public Actor {
 public:
  struct Surroundings {
    World* world;
    Network* network;
    Invariants* invariants;
    PeerBoard* board;
  };

  SimNode(const Surroundings& surroundings, SimNodeOptions options);
  ~SimNode() override;

  const std::string& name() const { return options_.name; }
  void Start();
  // The agent's process dies; a new one comes after a while.
  void Crash(absl::Duration away);
  // SIGTERM to the agent; a new one comes after a while.
  void Leave(absl::Duration away);

  void OnOrder(int64_t stream, const coordinator::Order& order) override;
  void OnClosed(int64_t stream, const absl::Status& status) override;

 private:
  agent::NodeOffer Offer() const;
  void Feed(const agent::AgentEvent& event);
  void Do(const agent::AgentAction& action);
  void ScheduleTick();
  void StartTask(uint64_t task_uid);
  void OnTaskExit(uint64_t task_uid, const EndReason& end);
  void Preflight(const agent::PreflightOrder& order);
  void CheckProcesses();
  // Everything of this agent's process is gone.
  void Vanish();

  const Surroundings around_;
  const SimNodeOptions options_;
  uint64_t client_ = 0;
  uint64_t nonce_ = 0;
  std::unique_ptr<agent::AgentCore> core_;  // null while there is no agent
  std::map<int64_t, SessionId> streams_;
  absl::Duration next_tick_ = absl::InfiniteDuration();
  absl::Duration back_after_;
  // What to start a task with, as its last order said.
  std::map<uint64_t, coordinator::Assignment> assignments_;
  std::map<uint64_t, std::unique_ptr<SimTask>> processes_;
};

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_SIM_NODE_H_
