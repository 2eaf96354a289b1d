// The agent at work: the core, its stream to the coordinator, processes, preflights and logs.

#ifndef TRAINYARD_AGENT_SESSION_H_
#define TRAINYARD_AGENT_SESSION_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "agent/config.h"
#include "agent/core.h"

namespace trainyard::agent {

struct AgentOptions {
  AgentConfig config;
  NodeOffer offer;
  // Where the agent's program, trainyard-exec and the tasks' programs lie.
  std::string binary_dir;
};

// Guarded; owned by main. Runs on a thread of its own.
class Agent {
 public:
  // FailedPrecondition: the work directory is another live agent's.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(AgentOptions options);
  // Kills what still runs and ends the session.
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // SIGTERM: the coordinator is told, tasks get time to save, then the agent is done.
  void Leave(absl::Duration deadline, const std::string& reason);

  // Whether the agent is done, waiting up to `timeout` for it.
  bool AwaitDone(absl::Duration timeout);

 private:
  class Loop;
  explicit Agent(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_SESSION_H_
