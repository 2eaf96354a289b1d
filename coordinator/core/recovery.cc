#include "coordinator/core/recovery.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace trainyard::coordinator {
namespace {

bool NeverRetried(EndClass end_class) {
  return end_class == EndClass::kUserError || end_class == EndClass::kNan ||
         end_class == EndClass::kDeadline;
}

bool SeenByAgent(EndClass end_class) {
  return end_class == EndClass::kSignal || end_class == EndClass::kOutOfMemory;
}

EndReason Located(const TaskRecord& task, EndReason end) {
  if (end.task.empty()) end.task = absl::StrCat(TaskName(task), " on ", task.node);
  return end;
}

// What the task said, with what only its agent could see.
EndReason Merged(const TaskRecord& task) {
  EndReason own = *task.own_end;
  own.exit_code = task.end.exit_code;
  own.signal = task.end.signal;
  own.peak_rss_bytes = std::max(own.peak_rss_bytes, task.end.peak_rss_bytes);
  // Nobody ordered it: to the job this is a kill from outside.
  const bool yielded = own.end_class == EndClass::kDrained ||
                       own.end_class == EndClass::kCancelled ||
                       own.end_class == EndClass::kUnspecified;
  if (yielded) own.end_class = EndClass::kSignal;
  return own;
}

}  // namespace

std::optional<EndReason> FailureOf(const Task& task) {
  const TaskRecord& record = task.record;
  if (record.state == TaskState::kLost) return Located(record, record.end);
  if (record.stop) return std::nullopt;
  const bool exited = record.state == TaskState::kExited;
  if (exited && SeenByAgent(record.end.end_class)) return Located(record, record.end);
  if (record.own_end.has_value()) {
    if (record.own_end->end_class == EndClass::kSucceeded) return std::nullopt;
    return Located(record, Merged(record));
  }
  if (exited) {
    if (record.end.end_class == EndClass::kSucceeded) return std::nullopt;
    return Located(record, record.end);
  }
  if (task.hung) return Located(record, task.hang);
  return std::nullopt;
}

int CauseRank(EndClass end_class) {
  switch (end_class) {
    case EndClass::kSignal:
    case EndClass::kOutOfMemory:
      return 0;
    case EndClass::kNodeLost:
      return 1;
    case EndClass::kHang:
      return 3;
    case EndClass::kPeerLost:
      return 4;
    default:
      return 2;
  }
}

EndReason FirstCause(const std::vector<EndReason>& failures) {
  return *std::min_element(failures.begin(), failures.end(),
                           [](const EndReason& a, const EndReason& b) {
                             return CauseRank(a.end_class) < CauseRank(b.end_class);
                           });
}

std::vector<EndReason> FailuresOf(const State& state, const Job& job) {
  std::vector<EndReason> failures;
  for (uint64_t uid : job.tasks) {
    const Task& task = state.tasks.at(uid);
    if (task.record.attempt != job.attempt.number) continue;
    std::optional<EndReason> failure = FailureOf(task);
    if (!failure.has_value()) continue;
    if (task.record.elastic) {
      const auto seat = job.seats.find({task.record.role, task.record.index});
      const bool worn =
          seat != job.seats.end() && seat->second.failures >= state.options.elastic_restarts;
      if (!NeverRetried(failure->end_class) && !worn) continue;
    }
    failures.push_back(*std::move(failure));
  }
  return failures;
}

absl::Duration Backoff(const CoreOptions& options, int failures) {
  const int doublings = std::clamp(failures - 1, 0, 16);
  return std::min(options.retry_max, options.retry_min * (1 << doublings));
}

Outcome Decide(const CoreOptions& options, const JobRecord& job, const AttemptRecord& attempt) {
  if (job.finished) return {JobMove::kSucceed, false, {}, ""};
  if (job.desired == DesiredState::kCancel) return {JobMove::kCancel, false, {}, "cancelled"};
  const EndReason& end = attempt.end;
  if (NeverRetried(end.end_class)) {
    return {JobMove::kFail, false, {}, end.message};
  }
  const bool ordered = end.end_class == EndClass::kDrained || end.end_class == EndClass::kCancelled;
  const bool counts = !ordered && end.end_class != EndClass::kNodeLost && !attempt.committed;
  const int failures = job.attempts_without_commit + (counts ? 1 : 0);
  if (failures >= job.shape->max_attempts) {
    return {JobMove::kFail,
            counts,
            {},
            absl::StrCat(failures, " attempts in a row without a checkpoint: ", end.message)};
  }
  if (job.desired == DesiredState::kPause) return {JobMove::kPause, counts, {}, "paused"};
  if (ordered || end.end_class == EndClass::kNodeLost) {
    return {JobMove::kRequeue, counts, {}, absl::StrCat("starts again: ", end.message)};
  }
  const absl::Duration delay = Backoff(options, std::max(failures, 1));
  return {JobMove::kRequeue, counts, delay,
          absl::StrCat("tries again in ", absl::FormatDuration(delay), ": ", end.message)};
}

}  // namespace trainyard::coordinator
