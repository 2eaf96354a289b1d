#include "coordinator/core/hang.h"

#include <algorithm>
#include <deque>

#include "absl/strings/str_cat.h"

namespace trainyard::coordinator {
namespace {

absl::Duration Median(std::deque<absl::Duration> times) {
  const auto middle = times.begin() + times.size() / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

void MarkHung(Draft& draft, const Job& job, Task& task, const std::string& message) {
  task.hung = true;
  task.hang.end_class = EndClass::kHang;
  task.hang.message = message;
  if (task.progress.has_value()) {
    task.hang.step = task.progress->step;
    task.hang.phase = task.progress->phase;
  }
  draft.NoteJob("task.hung", job, absl::StrCat(TaskName(task.record), ": ", message));
  draft.Stir(job.record.id);
}

}  // namespace

void RecordProgress(const CoreOptions& options, Task& task, const Progress& progress,
                    absl::Time now) {
  const bool moved = !task.progress.has_value() || task.progress->phase != progress.phase ||
                     task.progress->step != progress.step;
  if (moved && task.progress.has_value()) {
    std::deque<absl::Duration>& times = task.step_times[task.progress->phase];
    times.push_back(now - task.progress_at);
    if (static_cast<int>(times.size()) > options.hang_window) times.pop_front();
  }
  // Within a step a rate that changes is a sign of life: an answer may take longer than others did.
  const bool alive = moved || task.progress->tokens_per_second != progress.tokens_per_second;
  if (alive) task.progress_at = now;
  task.progress = progress;
}

absl::Duration HangLimit(const CoreOptions& options, const JobShape& shape, const Task& task) {
  if (!task.progress.has_value()) return absl::InfiniteDuration();
  const std::string& phase = task.progress->phase;
  if (phase == "waiting_rollout") return absl::InfiniteDuration();
  if (phase == "starting" || phase == "load") return shape.start_limit;
  if (phase == "checkpoint" || phase == "publish" || phase == "finish") {
    return shape.checkpoint_limit;
  }
  if (phase == "eval") return shape.eval_limit;
  const auto times = task.step_times.find(phase);
  const bool known = times != task.step_times.end() &&
                     static_cast<int>(times->second.size()) >= options.hang_min_steps;
  if (!known) return shape.start_limit;
  return std::max(options.hang_min, options.hang_factor * Median(times->second));
}

void DetectHangs(Draft& draft, Job& job) {
  const bool runs =
      job.attempt.state == AttemptState::kStarting || job.attempt.state == AttemptState::kRunning;
  if (!runs) return;
  for (uint64_t uid : job.tasks) {
    Task& task = *draft.state().FindTask(uid);
    const TaskRecord& record = task.record;
    const bool watched = record.attempt == job.attempt.number && Reachable(record) &&
                         !record.stop && !record.elastic && !task.hung &&
                         record.state != TaskState::kAssigned && !record.own_end.has_value();
    if (!watched) continue;
    if (task.session == 0) {
      const absl::Duration silent = draft.now() - task.session_lost_at;
      if (silent < draft.options().task_silence_limit) continue;
      MarkHung(draft, job, task,
               absl::StrCat("it has no session for ", absl::FormatDuration(silent),
                            " while its agent says that it lives"));
      continue;
    }
    const absl::Duration limit = HangLimit(draft.options(), *job.record.shape, task);
    const absl::Duration still = draft.now() - task.progress_at;
    if (still < limit) continue;
    MarkHung(draft, job, task,
             absl::StrCat("no progress in phase '", task.progress->phase, "' at step ",
                          task.progress->step, " for ", absl::FormatDuration(still), " (limit ",
                          absl::FormatDuration(limit), ")"));
  }
}

}  // namespace trainyard::coordinator
