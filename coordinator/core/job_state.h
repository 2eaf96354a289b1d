// The states of jobs, attempts and tasks, and the only steps there are between them.
//
// Job
//              Unblock            Place             Succeed
//   BLOCKED ----------> QUEUED ----------> ACTIVE ----------> SUCCEEDED
//      |                ^ |  ^               | |
//      |        Resume  | |  +--- Requeue ---+ +---- Fail ---> FAILED
//      |                | v Pause          Pause
//      |               PAUSED <--------------+
//      +---- Cancel (from every state that is not terminal) -> CANCELLED
//   FAILED, CANCELLED -- Retry --> BLOCKED (then Unblock). Nothing else leaves a terminal state.
//
// Attempt: PLACED -> STARTING -> RUNNING -> STOPPING -> ENDED
//   PLACED: slots are held, no agent was told to start anything. STARTING: agents were told.
//   RUNNING: the whole gang was READY once. STOPPING: every task is told to stop.
//
// Task: ASSIGNED -> STARTING -> READY -> RUNNING -> STOPPING -> EXITED
//   LOST: its node is unreachable; the slot stays taken. LOST -> EXITED when the node reports it.
//
// Values, no threads. The numbers are those of proto/trainyard/v1/job.proto.

#ifndef TRAINYARD_COORDINATOR_CORE_JOB_STATE_H_
#define TRAINYARD_COORDINATOR_CORE_JOB_STATE_H_

#include <optional>

#include "absl/strings/string_view.h"

namespace trainyard::coordinator {

enum class JobState {
  kBlocked = 1,  // waits for another job
  kQueued = 2,   // waits for resources
  kActive = 3,   // has an attempt that is not ENDED
  kPaused = 4,
  kSucceeded = 5,
  kFailed = 6,
  kCancelled = 7,
};

enum class DesiredState { kRun = 1, kPause = 2, kCancel = 3 };

enum class AttemptState { kPlaced = 1, kStarting = 2, kRunning = 3, kStopping = 4, kEnded = 5 };

enum class TaskState {
  kAssigned = 1,
  kStarting = 2,
  kReady = 3,
  kRunning = 4,
  kStopping = 5,
  kExited = 6,
  kLost = 7,
};

// What can happen to a job's state.
enum class JobMove {
  kUnblock,
  kPlace,
  kRequeue,
  kPause,
  kResume,
  kSucceed,
  kFail,
  kCancel,
  kRetry
};

// What can happen to an attempt's and a task's state.
enum class AttemptMove { kStart, kAllReady, kStop, kEnd };
enum class TaskMove { kStarted, kReady, kProgress, kStop, kExit, kLose };

// The state after `move`; nothing when the move is not allowed in `state`.
std::optional<JobState> NextJobState(JobState state, JobMove move);
std::optional<AttemptState> NextAttemptState(AttemptState state, AttemptMove move);
std::optional<TaskState> NextTaskState(TaskState state, TaskMove move);

constexpr bool IsTerminal(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed ||
         state == JobState::kCancelled;
}

// Upper-case names, as in the proto files ("QUEUED", "TASK_..." without its prefix).
absl::string_view JobStateName(JobState state);
absl::string_view AttemptStateName(AttemptState state);
absl::string_view TaskStateName(TaskState state);
absl::string_view JobMoveName(JobMove move);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_JOB_STATE_H_
