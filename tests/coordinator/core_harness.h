// A core with a clock that the test moves, and short ways to say what agents, tasks and users do.
// Everything is durable at once.

#ifndef TRAINYARD_TESTS_COORDINATOR_CORE_HARNESS_H_
#define TRAINYARD_TESTS_COORDINATOR_CORE_HARNESS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/core.h"
#include "coordinator/core/state.h"
#include "tests/support/sim_store.h"

namespace trainyard::coordinator {

// Resources of one task: so many gpus and milli-cpu, 1 GiB.
Resources Asks(int gpus, int64_t cpu_milli);

// An "sft" job of so many trainers, without preflight.
JobDraft TrainDraft(const std::string& name, int trainers, const Resources& each);

// A "ppo" job: controller, one learner, so many rollouts (elastic, at least 1), without preflight.
JobDraft PpoDraft(const std::string& name, int rollouts);

class CoreHarness {
 public:
  // Everything is decided in the step that brings it, unless the test says otherwise.
  static CoreOptions AtOnce() {
    CoreOptions options;
    options.pass_spacing = absl::ZeroDuration();
    return options;
  }
  explicit CoreHarness(CoreOptions options = AtOnce());

  Core& core() { return *core_; }
  const State& state() const { return core_->state(); }
  const Decision& last() const { return last_; }
  absl::Time now() const { return now_; }

  const Decision& Step(const Event& event);
  // Lets time pass in ticks of 100 ms; nodes that are connected send their heartbeats.
  void Pass(absl::Duration how_long);
  // Waits for what is due next; the last decision is the one that does it.
  const Decision& DoDue();
  // The coordinator dies and starts again from what is durable.
  void Restart();

  // ---- Users ----
  // The answer to the last call.
  absl::Status answer() const;
  std::string Submit(const JobDraft& draft);  // its id; the answer tells whether it was accepted
  absl::Status Change(JobVerb verb, const std::string& job);
  absl::Status Scale(const std::string& job, const std::string& role, int count);

  // ---- Agents ----
  // Registers, with an actual set; the session.
  SessionId Register(const std::string& node, int gpus, int64_t cpu_milli,
                     const std::vector<ActualTask>& actual = {});
  SessionId session_of(const std::string& node) const { return nodes_.at(node).session; }
  // What the node was last told to have, by uid.
  std::map<uint64_t, DesiredTask> DesiredOf(const std::string& node) const;
  void Disconnect(const std::string& node);
  // The agent's process is another one from now on.
  void Renonce(const std::string& node) { ++nodes_[node].nonce; }
  void ExitOf(uint64_t task_uid, EndClass end_class, const std::string& message = "");

  // ---- Tasks ----
  SessionId Hello(uint64_t task_uid, bool ready = true);
  void End(uint64_t task_uid, EndClass end_class, const std::string& message = "");
  void Progress(uint64_t task_uid, const std::string& phase, int64_t step);
  absl::Status Commit(uint64_t task_uid, int64_t step, int keep = 2);
  absl::Status Finish(uint64_t task_uid, const std::string& output = "model");
  // Hello, ready, for every task of the job.
  void AllReady(const std::string& job);
  // Every task of the job that holds a slot exits, as its agent sees it.
  void AllExit(const std::string& job, EndClass end_class = EndClass::kSucceeded);

  const JobRecord& job(const std::string& id) const { return state().jobs.at(id).record; }
  const AttemptRecord& attempt(const std::string& id) const { return state().jobs.at(id).attempt; }
  // Of the job, by "role/index"; the newest of each seat.
  std::map<std::string, TaskRecord> TasksOf(const std::string& job) const;
  const TaskRecord& task(uint64_t uid) const { return state().tasks.at(uid).record; }
  // Orders of one type in the last decision.
  template <typename T>
  std::vector<std::pair<SessionId, T>> Orders() const {
    std::vector<std::pair<SessionId, T>> orders;
    for (const Outgoing& outgoing : last_.orders) {
      if (const T* order = std::get_if<T>(&outgoing.order)) {
        orders.emplace_back(outgoing.session, *order);
      }
    }
    return orders;
  }
  // Types of the events that the last decision recorded.
  std::vector<std::string> Noted() const;
  const SimDisk& disk() const { return disk_; }

 private:
  struct NodeClient {
    SessionId session = 0;
    uint64_t nonce = 1;
    NodeOffer offer;
  };

  TaskIdentity Identity(uint64_t task_uid) const;

  CoreOptions options_;
  SimDisk disk_;
  std::unique_ptr<SimStore> store_;
  std::unique_ptr<Core> core_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  Decision last_;
  SessionId next_session_ = 1;
  CallId next_call_ = 1;
  int next_id_ = 1;
  std::map<std::string, NodeClient> nodes_;
  std::map<std::string, DesiredSet> desired_;
  std::map<uint64_t, SessionId> tasks_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_COORDINATOR_CORE_HARNESS_H_
