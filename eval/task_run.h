// Poses an eval job's benchmarks to its models and counts the right answers.

#ifndef TRAINYARD_EVAL_TASK_RUN_H_
#define TRAINYARD_EVAL_TASK_RUN_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "eval/eval_job.h"
#include "eval/output.h"
#include "eval/prompts.h"
#include "eval/rollout_client.h"
#include "eval/task_answer.h"
#include "eval/task_items.h"
#include "eval/task_tokens.h"
#include "eval/verdict.h"
#include "task/session.h"

namespace trainyard::eval {

// What of a run the benchmarks need; everything outlives TaskRun.
struct TaskRunParts {
  const EvalJob& job;
  const std::vector<ModelText>& texts;  // by model
  const task::Assignment& assignment;
  const RunPlace& place;
  task::TaskSession* session;
  // The rollout task of a model, waited for. Thread-safe.
  std::function<absl::StatusOr<std::unique_ptr<RolloutClient>>(int model)> client_of;
};

// Owned by one thread; Run uses one more for each model.
class TaskRun {
 public:
  // Reads every item: whatever is wrong with a file is found before a token is drawn. Errors name
  // task, file and line.
  static absl::StatusOr<std::unique_ptr<TaskRun>> Load(const TaskRunParts& parts);

  // Poses every task to every model. An item that could not be posed or scored is an error, never a
  // wrong answer.
  absl::Status Run();

  // ---- After Run ----
  // Each task's metric: NAME, and for multiple choice NAME_norm too, with a part for each item.
  void AddMetrics(std::vector<MetricOfModels>* metrics) const;
  // For report.json: each task's name, kind, number of items and of shots.
  Json Summary() const;
  // What each model said to each item, a JSON row each: tasks.jsonl.
  std::string Picks() const;

 private:
  // One model's result of one task.
  struct Result {
    Measured right, right_norm;
    std::vector<Json> picks;
  };
  struct Task {
    const TaskJob& job;
    AnswerRule rule;
    std::vector<TaskItem> items;
    std::vector<Result> results;  // by model; each written by its own thread
  };

  explicit TaskRun(const TaskRunParts& parts) : parts_(parts) {}
  absl::Status RunModel(int model);
  absl::Status PoseChoices(Task& task, int model);
  absl::Status PosePrompts(Task& task, int model);
  void Report(const char* phase);

  const TaskRunParts parts_;
  std::vector<Task> tasks_;
  std::atomic<int64_t> steps_ = 0;
};

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_TASK_RUN_H_
