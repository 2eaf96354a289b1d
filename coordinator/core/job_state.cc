#include "coordinator/core/job_state.h"

namespace trainyard::coordinator {

std::optional<JobState> NextJobState(JobState state, JobMove move) {
  switch (move) {
    case JobMove::kUnblock:
      if (state == JobState::kBlocked) return JobState::kQueued;
      return std::nullopt;
    case JobMove::kPlace:
      if (state == JobState::kQueued) return JobState::kActive;
      return std::nullopt;
    case JobMove::kRequeue:
      if (state == JobState::kActive) return JobState::kQueued;
      return std::nullopt;
    case JobMove::kPause:
      if (state == JobState::kQueued || state == JobState::kActive) return JobState::kPaused;
      return std::nullopt;
    case JobMove::kResume:
      if (state == JobState::kPaused) return JobState::kQueued;
      return std::nullopt;
    case JobMove::kSucceed:
      if (state == JobState::kActive) return JobState::kSucceeded;
      return std::nullopt;
    case JobMove::kFail:
      if (!IsTerminal(state)) return JobState::kFailed;
      return std::nullopt;
    case JobMove::kCancel:
      if (!IsTerminal(state)) return JobState::kCancelled;
      return std::nullopt;
    case JobMove::kRetry:
      if (state == JobState::kFailed || state == JobState::kCancelled) return JobState::kBlocked;
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<AttemptState> NextAttemptState(AttemptState state, AttemptMove move) {
  switch (move) {
    case AttemptMove::kStart:
      if (state == AttemptState::kPlaced) return AttemptState::kStarting;
      return std::nullopt;
    case AttemptMove::kAllReady:
      if (state == AttemptState::kStarting) return AttemptState::kRunning;
      return std::nullopt;
    case AttemptMove::kStop:
      if (state == AttemptState::kStopping || state == AttemptState::kEnded) return std::nullopt;
      return AttemptState::kStopping;
    case AttemptMove::kEnd:
      if (state == AttemptState::kStopping) return AttemptState::kEnded;
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<TaskState> NextTaskState(TaskState state, TaskMove move) {
  const bool over = state == TaskState::kExited || state == TaskState::kLost;
  switch (move) {
    case TaskMove::kStarted:
      if (state == TaskState::kAssigned) return TaskState::kStarting;
      return std::nullopt;
    case TaskMove::kReady:
      if (state == TaskState::kAssigned || state == TaskState::kStarting) return TaskState::kReady;
      return std::nullopt;
    case TaskMove::kProgress:
      if (state == TaskState::kReady) return TaskState::kRunning;
      return std::nullopt;
    case TaskMove::kStop:
      if (over || state == TaskState::kStopping) return std::nullopt;
      return TaskState::kStopping;
    case TaskMove::kExit:
      if (state == TaskState::kExited) return std::nullopt;
      return TaskState::kExited;
    case TaskMove::kLose:
      if (over) return std::nullopt;
      return TaskState::kLost;
  }
  return std::nullopt;
}

absl::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kBlocked:
      return "BLOCKED";
    case JobState::kQueued:
      return "QUEUED";
    case JobState::kActive:
      return "ACTIVE";
    case JobState::kPaused:
      return "PAUSED";
    case JobState::kSucceeded:
      return "SUCCEEDED";
    case JobState::kFailed:
      return "FAILED";
    case JobState::kCancelled:
      return "CANCELLED";
  }
  return "UNKNOWN";
}

absl::string_view AttemptStateName(AttemptState state) {
  switch (state) {
    case AttemptState::kPlaced:
      return "PLACED";
    case AttemptState::kStarting:
      return "STARTING";
    case AttemptState::kRunning:
      return "RUNNING";
    case AttemptState::kStopping:
      return "STOPPING";
    case AttemptState::kEnded:
      return "ENDED";
  }
  return "UNKNOWN";
}

absl::string_view TaskStateName(TaskState state) {
  switch (state) {
    case TaskState::kAssigned:
      return "ASSIGNED";
    case TaskState::kStarting:
      return "STARTING";
    case TaskState::kReady:
      return "READY";
    case TaskState::kRunning:
      return "RUNNING";
    case TaskState::kStopping:
      return "STOPPING";
    case TaskState::kExited:
      return "EXITED";
    case TaskState::kLost:
      return "LOST";
  }
  return "UNKNOWN";
}

absl::string_view JobMoveName(JobMove move) {
  switch (move) {
    case JobMove::kUnblock:
      return "unblock";
    case JobMove::kPlace:
      return "place";
    case JobMove::kRequeue:
      return "requeue";
    case JobMove::kPause:
      return "pause";
    case JobMove::kResume:
      return "resume";
    case JobMove::kSucceed:
      return "succeed";
    case JobMove::kFail:
      return "fail";
    case JobMove::kCancel:
      return "cancel";
    case JobMove::kRetry:
      return "retry";
  }
  return "unknown";
}

}  // namespace trainyard::coordinator
