// A decision in the making: the only way to change the state. What is edited becomes part of the
// batch; what is sent waits until the batch is durable.

#ifndef TRAINYARD_COORDINATOR_CORE_DRAFT_H_
#define TRAINYARD_COORDINATOR_CORE_DRAFT_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/core/decision.h"
#include "coordinator/core/state.h"

namespace trainyard::coordinator {

// Lives for one step, on the core's thread. References to jobs, tasks and nodes stay valid until
// Finish.
class Draft {
 public:
  // `state` must outlive it.
  Draft(State* state, absl::Time now) : state_(*state), now_(now) {}

  State& state() { return state_; }
  const CoreOptions& options() const { return state_.options; }
  absl::Time now() const { return now_; }
  // Of the batch, if there will be one.
  int64_t revision() const { return state_.revision + 1; }
  // Of what is known now: revision() when something is written in this step, else the last one.
  int64_t LevelRevision() const { return write_ ? revision() : state_.revision; }

  // The record, marked as written. Fields that are indexed change by Move* only.
  JobRecord& Edit(Job& job);
  AttemptRecord& EditAttempt(Job& job);
  TaskRecord& Edit(Task& task);
  NodeRecord& Edit(Node& node);

  Job& AddJob(JobRecord record);
  // The job's next attempt; the one before it must be ENDED.
  void AddAttempt(Job& job, AttemptRecord record);
  void AddPipeline(PipelineRecord record);
  Node& AddNode(NodeRecord record);
  // Gives the task the next uid.
  Task& AddTask(TaskRecord record);
  void AddCheckpoint(Job& job, CheckpointRow row);
  void RemoveCheckpoint(Job& job, const CheckpointRow& row);
  void AddArtifact(ArtifactRow row);

  // The move must be allowed (job_state.h): anything else is a bug of ours.
  void MoveJob(Job& job, JobMove move, const std::string& reason);
  void MoveAttempt(Job& job, AttemptMove move);
  // False, and nothing changed, when the move is not allowed.
  bool MoveTask(Task& task, TaskMove move);

  // What happened, in the event log and in the decision's reasons. The subject is a job or a node.
  void NoteJob(absl::string_view type, const Job& job, const std::string& message);
  void NoteNode(absl::string_view type, const Node& node, const std::string& message);
  void SetPrincipal(const std::string& principal) { principal_ = principal; }

  // A message on a stream; nothing when the session is 0.
  void Send(SessionId session, Order order);
  void SendNow(SessionId session, Order order);
  // An answer with the record as this decision leaves it.
  void AnswerJob(CallId call, const std::string& id) { job_answers_.push_back({call, id}); }
  void AnswerPipeline(CallId call, const std::string& id) {
    pipeline_answers_.push_back({call, id});
  }
  void AnswerNode(CallId call, const std::string& name) { node_answers_.push_back({call, name}); }
  void Answer(Reply reply) { decision_.replies.push_back(std::move(reply)); }
  // `reason` is an upper-case word for programs.
  void Refuse(CallId call, const absl::Status& status, const std::string& reason);
  void ShowProgress(LiveProgress progress) { decision_.progress.push_back(std::move(progress)); }

  // The job is looked at again before the step ends.
  void Stir(const std::string& job_id) { stirred_.insert(job_id); }
  std::set<std::string> TakeStirred() { return std::exchange(stirred_, {}); }
  // The node's desired set, the job's peers changed.
  void Redesire(const std::string& node) { redesired_.insert(node); }
  void Repeer(const std::string& job_id) { state_.repeered.insert(job_id); }
  std::set<std::string> TakeRedesired() { return std::exchange(redesired_, {}); }

  // The decision. The draft is spent.
  Decision Finish();

 private:
  using Answers = std::vector<std::pair<CallId, std::string>>;

  void Note(EventRow row);
  void FillBatch(Batch& batch);
  void FillAnswers();
  void Forget();

  State& state_;
  const absl::Time now_;
  std::string principal_ = "system";
  Decision decision_;
  Batch batch_;
  bool write_ = false;
  std::set<std::string> jobs_;
  std::set<std::string> attempts_;
  std::set<uint64_t> tasks_;
  std::set<std::string> nodes_;
  std::set<uint64_t> maybe_over_;  // tasks that memory may not need any more
  Answers job_answers_;
  Answers pipeline_answers_;
  Answers node_answers_;
  std::set<std::string> stirred_;
  std::set<std::string> redesired_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_DRAFT_H_
