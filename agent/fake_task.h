// A task that obeys and reports like a real one and computes nothing: for tests of the cluster.

#ifndef TRAINYARD_AGENT_FAKE_TASK_H_
#define TRAINYARD_AGENT_FAKE_TASK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/end_class.h"
#include "task/assignment.h"
#include "task/session.h"

namespace trainyard::agent {

// Mirrors job.proto's FakeSpec.
struct FakePlan {
  int64_t steps = 0;
  absl::Duration step_time;
  int64_t checkpoint_every = 0;
  int64_t fail_at_step = 0;
  EndClass fail_class = EndClass::kInternal;
  int64_t hang_at_step = 0;
  int64_t checkpoint_bytes = 0;
  // Somebody else leads: the spec has a controller and this task is none.
  bool led = false;
};

// InvalidArgument when the assignment's spec is of another kind.
absl::StatusOr<FakePlan> PlanOf(const task::Assignment& assignment);

// The leader (the controller, else rank 0) commits checkpoints and finishes the job, other ranks
// only step, rollout and reward tasks serve until they are stopped. Goes on from the newest
// checkpoint of the assignment. Returns why it ended.
EndReason RunFakeTask(const task::Assignment& assignment, const FakePlan& plan,
                      task::TaskSession* session);

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_FAKE_TASK_H_
