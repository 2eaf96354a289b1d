// A task as a process: the real session core, and a body that loads, steps, commits, fails, hangs
// and stops as tasks do.

#ifndef TRAINYARD_TESTS_SIMULATION_SIM_TASK_H_
#define TRAINYARD_TESTS_SIMULATION_SIM_TASK_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "coordinator/core/decision.h"
#include "task/core.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace trainyard::simulation {

class SimTask;

// Who runs now, so that a task notices when a peer is gone.
class PeerBoard {
 public:
  void Add(SimTask* task);
  void Remove(SimTask* task);
  // A task of the attempt died: the others may notice.
  void Died(const SimTask& task);

 private:
  std::map<uint64_t, SimTask*> tasks_;
};

class SimTask : public Client, public Actor {
 public:
  struct Surroundings {
    World* world;
    Network* network;
    Invariants* invariants;
    PeerBoard* board;
    // The process is gone; how its agent sees it. Once.
    std::function<void(const EndReason&)> on_exit;
  };

  SimTask(const Surroundings& surroundings, const coordinator::Assignment& assignment);
  ~SimTask() override;

  // Signals.
  void Terminate();
  void Kill(EndClass seen_as);
  // A peer of the collective is gone.
  void LosePeer();

  const coordinator::Assignment& assignment() const { return assignment_; }
  bool elastic() const { return assignment_.role == "rollout"; }

  void OnOrder(int64_t stream, const coordinator::Order& order) override;
  void OnClosed(int64_t stream, const absl::Status& status) override;

 private:
  bool leader() const;
  void Feed(const task::SessionEvent& event);
  void Do(const task::SessionAction& action);
  void ScheduleTick();
  void BecomeReady();
  void TryToBegin();
  void Step();
  void MaybeFail();
  void Report(const std::string& phase);
  void Commit(std::function<void()> then);
  void SendCommit(const std::string& request_id, int64_t step, std::function<void()> then);
  void Finish(const std::string& request_id);
  void StopNow();
  void End(EndClass end_class, const std::string& message);
  void Exit(const EndReason& seen);
  EndReason Seen(EndClass end_class, const std::string& message) const;

  const Surroundings around_;
  const coordinator::Assignment assignment_;
  const uint64_t client_;
  task::SessionCore session_;
  std::map<int64_t, SessionId> streams_;
  absl::Duration next_tick_ = absl::InfiniteDuration();
  int64_t step_ = 0;
  int64_t total_steps_;
  int64_t checkpoint_every_;
  absl::Duration step_time_;
  bool began_ = false;
  bool hung_ = false;
  bool stopping_ = false;
  bool ending_ = false;
  bool gone_ = false;
  bool committing_ = false;
  int64_t committed_ = 0;
};

}  // namespace trainyard::simulation

#endif  // TRAINYARD_TESTS_SIMULATION_SIM_TASK_H_
