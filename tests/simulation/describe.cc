#include "tests/simulation/describe.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace trainyard::simulation {
namespace {

using namespace coordinator;  // NOLINT: every event type

const char* Verb(JobVerb verb) {
  switch (verb) {
    case JobVerb::kCancel:
      return "cancel";
    case JobVerb::kPause:
      return "pause";
    case JobVerb::kResume:
      return "resume";
    case JobVerb::kRetry:
      return "retry";
  }
  return "?";
}

std::string Uids(const std::vector<ActualTask>& tasks) {
  return absl::StrJoin(tasks, ",", [](std::string* out, const ActualTask& task) {
    absl::StrAppend(out, task.task_uid, ":", TaskStateName(task.state));
  });
}

struct Describer {
  std::string operator()(const SubmitJob& e) {
    return absl::StrCat("submit ", e.job.id, " '", e.job.name, "' request ", e.request_id);
  }
  std::string operator()(const SubmitPipeline& e) {
    return absl::StrCat("submit pipeline ", e.id, " of ", e.stages.size(), " stages");
  }
  std::string operator()(const ChangeJob& e) { return absl::StrCat(Verb(e.verb), " ", e.job); }
  std::string operator()(const ChangePipeline& e) {
    return absl::StrCat(Verb(e.verb), " pipeline ", e.pipeline);
  }
  std::string operator()(const ScaleJob& e) {
    return absl::StrCat("scale ", e.job, " ", e.role, " to ", e.count);
  }
  std::string operator()(const CordonNode& e) {
    return absl::StrCat(e.uncordon ? "uncordon " : "cordon ", e.node);
  }
  std::string operator()(const DrainNode& e) { return absl::StrCat("drain ", e.node); }
  std::string operator()(const AgentRegister& e) {
    return absl::StrCat("agent ", e.node, " registers on session ", e.session, " nonce ",
                        e.process_nonce, " with {", Uids(e.actual), "}");
  }
  std::string operator()(const AgentHeartbeat& e) {
    return absl::StrCat("agent heartbeat on ", e.session);
  }
  std::string operator()(const AgentActualSet& e) {
    return absl::StrCat("agent on ", e.session, " has {", Uids(e.tasks), "}");
  }
  std::string operator()(const AgentTaskExit& e) {
    return absl::StrCat("agent on ", e.session, ": task ", e.task_uid, " exited ",
                        EndClassName(e.end.end_class));
  }
  std::string operator()(const AgentPreflight& e) {
    return absl::StrCat("preflight of ", e.job_id, " epoch ", e.epoch, e.ok ? " ok" : " failed");
  }
  std::string operator()(const AgentLeaving& e) {
    return absl::StrCat("agent on ", e.session, " leaves");
  }
  std::string operator()(const AgentSessionLost& e) {
    return absl::StrCat("agent session ", e.session, " is lost");
  }
  std::string operator()(const TaskHello& e) {
    return absl::StrCat("task ", e.task_uid, " of ", e.job_id, " epoch ", e.epoch,
                        " says hello on ", e.session, e.ready ? ", ready" : "");
  }
  std::string operator()(const TaskReady& e) {
    return absl::StrCat("task on ", e.session, " is ready");
  }
  std::string operator()(const TaskProgress& e) {
    return absl::StrCat("task on ", e.session, ": ", e.progress.phase, " ", e.progress.step);
  }
  std::string operator()(const TaskEnd& e) {
    return absl::StrCat("task on ", e.session, " ends: ", EndClassName(e.end.end_class));
  }
  std::string operator()(const TaskHeartbeat& e) {
    return absl::StrCat("task heartbeat on ", e.session);
  }
  std::string operator()(const TaskSessionLost& e) {
    return absl::StrCat("task session ", e.session, " is lost");
  }
  std::string operator()(const CommitCheckpoint& e) {
    return absl::StrCat("task ", e.task.task_uid, " of ", e.task.job_id, " epoch ", e.task.epoch,
                        " commits step ", e.step);
  }
  std::string operator()(const FinishJob& e) {
    return absl::StrCat("task ", e.task.task_uid, " finishes ", e.task.job_id, " epoch ",
                        e.task.epoch);
  }
  std::string operator()(const Tick&) { return "tick"; }
  std::string operator()(const Due&) { return "something is due"; }
  std::string operator()(const StoreCondition& e) {
    return absl::StrCat("store: ", e.read_only_reason.empty() ? "writable" : e.read_only_reason);
  }
};

}  // namespace

std::string Describe(const coordinator::Event& event) { return std::visit(Describer{}, event); }

}  // namespace trainyard::simulation
