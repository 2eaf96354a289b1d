#include "coordinator/core/job_state.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

namespace trainyard::coordinator {
namespace {

constexpr JobState kJobStates[] = {JobState::kBlocked,  JobState::kQueued,    JobState::kActive,
                                   JobState::kPaused,   JobState::kSucceeded, JobState::kFailed,
                                   JobState::kCancelled};
constexpr JobMove kJobMoves[] = {JobMove::kUnblock, JobMove::kPlace,  JobMove::kRequeue,
                                 JobMove::kPause,   JobMove::kResume, JobMove::kSucceed,
                                 JobMove::kFail,    JobMove::kCancel, JobMove::kRetry};

TEST(JobStateTest, EveryStateAndMoveOfAJob) {
  using S = JobState;
  using M = JobMove;
  const std::map<std::pair<S, M>, S> allowed = {
      {{S::kBlocked, M::kUnblock}, S::kQueued},   {{S::kBlocked, M::kFail}, S::kFailed},
      {{S::kBlocked, M::kCancel}, S::kCancelled}, {{S::kQueued, M::kPlace}, S::kActive},
      {{S::kQueued, M::kPause}, S::kPaused},      {{S::kQueued, M::kFail}, S::kFailed},
      {{S::kQueued, M::kCancel}, S::kCancelled},  {{S::kActive, M::kRequeue}, S::kQueued},
      {{S::kActive, M::kPause}, S::kPaused},      {{S::kActive, M::kSucceed}, S::kSucceeded},
      {{S::kActive, M::kFail}, S::kFailed},       {{S::kActive, M::kCancel}, S::kCancelled},
      {{S::kPaused, M::kResume}, S::kQueued},     {{S::kPaused, M::kFail}, S::kFailed},
      {{S::kPaused, M::kCancel}, S::kCancelled},  {{S::kFailed, M::kRetry}, S::kBlocked},
      {{S::kCancelled, M::kRetry}, S::kBlocked},
  };
  for (JobState state : kJobStates) {
    for (JobMove move : kJobMoves) {
      const auto it = allowed.find({state, move});
      const auto next = NextJobState(state, move);
      const auto what = std::string(JobStateName(state)) + " " + std::string(JobMoveName(move));
      ASSERT_EQ(next.has_value(), it != allowed.end()) << what;
      if (next.has_value()) {
        EXPECT_EQ(*next, it->second) << what;
      }
    }
  }
}

TEST(JobStateTest, EveryStateThatIsNotTerminalCanBeCancelled) {
  for (JobState state : kJobStates) {
    EXPECT_EQ(NextJobState(state, JobMove::kCancel).has_value(), !IsTerminal(state));
  }
}

TEST(JobStateTest, EveryStateAndMoveOfAnAttempt) {
  using S = AttemptState;
  using M = AttemptMove;
  const std::map<std::pair<S, M>, S> allowed = {
      {{S::kPlaced, M::kStart}, S::kStarting},     {{S::kPlaced, M::kStop}, S::kStopping},
      {{S::kStarting, M::kAllReady}, S::kRunning}, {{S::kStarting, M::kStop}, S::kStopping},
      {{S::kRunning, M::kStop}, S::kStopping},     {{S::kStopping, M::kEnd}, S::kEnded},
  };
  for (S state : {S::kPlaced, S::kStarting, S::kRunning, S::kStopping, S::kEnded}) {
    for (M move : {M::kStart, M::kAllReady, M::kStop, M::kEnd}) {
      const auto it = allowed.find({state, move});
      const auto next = NextAttemptState(state, move);
      ASSERT_EQ(next.has_value(), it != allowed.end()) << AttemptStateName(state);
      if (next.has_value()) {
        EXPECT_EQ(*next, it->second);
      }
    }
  }
}

TEST(JobStateTest, EveryStateAndMoveOfATask) {
  using S = TaskState;
  using M = TaskMove;
  std::map<std::pair<S, M>, S> allowed = {
      {{S::kAssigned, M::kStarted}, S::kStarting},
      {{S::kAssigned, M::kReady}, S::kReady},
      {{S::kStarting, M::kReady}, S::kReady},
      {{S::kReady, M::kProgress}, S::kRunning},
  };
  for (S state : {S::kAssigned, S::kStarting, S::kReady, S::kRunning}) {
    allowed[{state, M::kStop}] = S::kStopping;
  }
  for (S state : {S::kAssigned, S::kStarting, S::kReady, S::kRunning, S::kStopping}) {
    allowed[{state, M::kExit}] = S::kExited;
    allowed[{state, M::kLose}] = S::kLost;
  }
  allowed[{S::kLost, M::kExit}] = S::kExited;
  for (S state :
       {S::kAssigned, S::kStarting, S::kReady, S::kRunning, S::kStopping, S::kExited, S::kLost}) {
    for (M move : {M::kStarted, M::kReady, M::kProgress, M::kStop, M::kExit, M::kLose}) {
      const auto it = allowed.find({state, move});
      const auto next = NextTaskState(state, move);
      ASSERT_EQ(next.has_value(), it != allowed.end())
          << TaskStateName(state) << " " << static_cast<int>(move);
      if (next.has_value()) {
        EXPECT_EQ(*next, it->second);
      }
    }
  }
}

}  // namespace
}  // namespace trainyard::coordinator
