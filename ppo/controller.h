// The controller of a PPO run: one loop over iterations. It sees tokens and scores, never a tensor.

#ifndef TRAINYARD_PPO_CONTROLLER_H_
#define TRAINYARD_PPO_CONTROLLER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "ppo/collection.h"
#include "ppo/committer.h"
#include "ppo/learners.h"
#include "ppo/ledger.h"
#include "ppo/numerics_gate.h"
#include "ppo/options.h"
#include "ppo/publication.h"
#include "ppo/run_state.h"
#include "task/assignment.h"
#include "task/session.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::ppo {

// The prompts of a run. Rows are drawn by number; the same number gives the same prompt.
struct Prompts {
  std::function<DrawnPrompt(int64_t row)> train;
  std::vector<DrawnPrompt> validation;  // may be empty
  std::string fingerprint;              // of the data and its order
};

// Everything the controller uses. All outlive it.
struct ControllerContext {
  const task::Assignment* assignment = nullptr;
  task::TaskSession* session = nullptr;
  const Prompts* prompts = nullptr;
  const tokenizer::Tokenizer* tokenizer = nullptr;
  const Clock* clock = nullptr;
};

// Owned by one thread. Run returns OK when the final policy is recorded; Cancelled when a stop was
// ordered (with a commit before, when that was asked); else the error that ends this attempt. What
// was committed is not touched by any error.
class Controller {
 public:
  Controller(ControllerOptions options, const ControllerContext& context);
  ~Controller();

  absl::Status Run();

  // Iterations consumed so far, and where the loop is: for the end reason.
  int64_t iteration() const { return state_.iteration; }
  const std::string& phase() const { return phase_; }

 private:
  using MetricMap = std::map<std::string, double>;

  absl::Status Prepare();
  absl::Status Restore(const LearnerSpec& learner);
  absl::StatusOr<std::string> RewardSpecHash();
  absl::Status Iterate();
  absl::StatusOr<CollectionReport> Collect(std::vector<DrawnPrompt> prompts);
  absl::StatusOr<Update> PlanUpdate(std::vector<rl::Trajectory> trajectories) const;
  absl::StatusOr<UpdateResult> RunUpdate(const Update& update);
  absl::Status Publish();
  void AwaitServing(int served_before);
  absl::Status Commit();
  absl::Status Validate(MetricMap& metrics);
  absl::Status Finish();
  absl::StatusOr<task::Artifact> Export(PolicyForm form);
  void Enter(const std::string& phase);
  CollectionContext Collecting();

  ControllerOptions options_;
  const ControllerContext context_;
  NumericsGate gate_{{}};
  std::unique_ptr<Learners> learners_;
  std::unique_ptr<Publication> publication_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Ledger> ledger_;
  RunState state_;
  int64_t committed_iteration_ = -1;
  std::optional<double> reward_;  // of the last update; none: not measured
  std::string phase_ = "starting";
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_CONTROLLER_H_
