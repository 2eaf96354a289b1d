// Checkpoints of a PPO run: learners' files, one manifest, the coordinator's row.

#ifndef TRAINYARD_PPO_COMMITTER_H_
#define TRAINYARD_PPO_COMMITTER_H_

#include <cstdint>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ppo/learners.h"
#include "ppo/options.h"
#include "ppo/run_state.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::ppo {

// What a finished run leaves: a directory of the policy.
struct FinalPolicy {
  std::string uri;
  std::string manifest_sha256;
  int64_t size_bytes = 0;
};

// Owned by the controller's thread. While the coordinator is away training goes on with one commit
// pending; the next checkpoint waits for it.
class Committer {
 public:
  // All outlive it.
  Committer(const ControllerOptions& options, Learners* learners, task::TaskSession* session)
      : options_(options), learners_(learners), session_(session) {}
  ~Committer();  // waits for what is pending

  // Writes the checkpoint of `state` and asks the coordinator to commit it. OK when the manifest is
  // durable and the request is under way. The error of the pending commit before, if it had one.
  absl::Status Commit(const RunState& state);

  // Until nothing is pending; its error.
  absl::Status Flush();

  // Writes the policy with its tokenizer files as an artifact of its own: <run>/e<epoch>/policy, or
  // <run>/e<epoch>/adapter.
  absl::StatusOr<FinalPolicy> ExportPolicy(const RunState& state, PolicyForm form);

 private:
  void Ask(task::CommitRequest request);

  const ControllerOptions& options_;
  Learners* const learners_;
  task::TaskSession* const session_;
  std::thread pending_;
  absl::Status pending_status_;  // written by pending_, read after its join
};

// The state of the committed checkpoint whose manifest has this digest; it is one of those that the
// assignment allows. NotFound when it is not; DataLoss when it does not read.
absl::StatusOr<RunState> RestoreRunState(const task::Assignment& assignment,
                                         const std::string& manifest_sha256);

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_COMMITTER_H_
