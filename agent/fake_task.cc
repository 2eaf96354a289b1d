#include "agent/fake_task.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"
#include "checkpoint/manifest.h"
#include "checkpoint/store.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::agent {
namespace {

constexpr char kNumericsId[] = "fake";
constexpr absl::Duration kCommitTimeout = absl::Minutes(10);

class FakeTask {
 public:
  FakeTask(const task::Assignment& assignment, const FakePlan& plan, task::TaskSession* session)
      : assignment_(assignment), plan_(plan), session_(session) {}

  EndReason Run() {
    session_->Report({.phase = "load", .total_steps = plan_.steps});
    if (absl::Status restored = Restore(); !restored.ok()) return Failed(restored);
    session_->Ready("", kNumericsId);
    if (assignment_.role == "rollout" || assignment_.role == "reward") return Serve();
    while (step_ < plan_.steps) {
      if (const auto order = session_->WaitForStop(plan_.step_time)) return Stop(*order);
      ++step_;
      if (step_ == plan_.hang_at_step) return Hang();
      if (step_ == plan_.fail_at_step) {
        return End(plan_.fail_class, absl::StrCat("told to fail at step ", step_));
      }
      Tell();
      const bool due = plan_.checkpoint_every > 0 && step_ % plan_.checkpoint_every == 0;
      if (due && leads() && step_ < plan_.steps) {
        if (absl::Status saved = Save(); !saved.ok()) return Failed(saved);
      }
    }
    return leads() ? Finish() : End(EndClass::kSucceeded, "all steps done");
  }

 private:
  bool leads() const { return !plan_.led && assignment_.index == 0; }

  EndReason End(EndClass end_class, std::string message) const {
    EndReason reason;
    reason.end_class = end_class;
    reason.message = std::move(message);
    reason.step = step_;
    reason.phase = "train";
    return reason;
  }
  EndReason Failed(const absl::Status& status) const {
    return End(EndClassOf(status), std::string(status.message()));
  }

  absl::Status Restore() {
    if (assignment_.restore.empty()) return absl::OkStatus();
    std::vector<checkpoint::Candidate> candidates;
    for (const task::Checkpoint& committed : assignment_.restore) {
      TY_ASSIGN_OR_RETURN(std::string directory, assignment_.roots.Resolve(committed.uri));
      candidates.push_back({std::move(directory), committed.manifest_sha256});
    }
    TY_ASSIGN_OR_RETURN(const checkpoint::Loaded loaded, checkpoint::LoadFirstGood(candidates));
    step_ = loaded.manifest.step;
    Log().info("goes on from step {} of {}", step_, loaded.candidate.directory);
    return absl::OkStatus();
  }

  EndReason Serve() {
    const auto order = session_->WaitForStop(absl::InfiniteDuration());
    return End(EndClass::kDrained, absl::StrCat("stopped: ", order->reason));
  }

  EndReason Stop(const task::StopOrder& order) {
    if (order.checkpoint && leads() && step_ > saved_step_) {
      if (absl::Status saved = Save(); !saved.ok()) return Failed(saved);
    }
    return End(EndClass::kDrained, absl::StrCat("stopped: ", order.reason));
  }

  // Alive, heard of, and without progress.
  EndReason Hang() {
    Log().info("told to hang at step {}", step_);
    const auto order = session_->WaitForStop(absl::InfiniteDuration());
    return End(EndClass::kDrained, absl::StrCat("stopped while hanging: ", order->reason));
  }

  void Tell() {
    const double loss = 1.0 / static_cast<double>(step_);
    session_->Report({.phase = "train",
                      .step = step_,
                      .total_steps = plan_.steps,
                      .headline = loss,
                      .headline_name = "loss"});
    if (leads()) session_->ReportMetrics(step_, {{"loss", loss}});
    std::printf("step %lld of %lld\n", static_cast<long long>(step_),
                static_cast<long long>(plan_.steps));
    std::fflush(stdout);
  }

  std::string StepUri() const {
    return JoinRootUri(assignment_.run_uri,
                       absl::StrFormat("e%d/step-%08d", assignment_.epoch, step_));
  }

  // Writes a directory of real files with a manifest; the digest of the manifest.
  absl::StatusOr<std::string> WriteDirectory(const std::string& uri, const std::string& kind) {
    TY_ASSIGN_OR_RETURN(const std::string directory, assignment_.roots.Resolve(uri));
    TY_RETURN_IF_ERROR(checkpoint::BeginCheckpoint(directory));
    const char fill = static_cast<char>('a' + step_ % 26);
    const std::string bytes(std::max<int64_t>(plan_.checkpoint_bytes, 1), fill);
    TY_ASSIGN_OR_RETURN(const checkpoint::FileRecord file,
                        checkpoint::WriteCheckpointFile(directory, "state.bin", bytes));
    checkpoint::Manifest manifest;
    manifest.kind = kind;
    manifest.step = step_;
    manifest.epoch = assignment_.epoch;
    manifest.numerics_id = kNumericsId;
    manifest.files = {file};
    return checkpoint::CommitManifest(directory, std::move(manifest));
  }

  absl::Status Save() {
    const std::string uri = StepUri();
    TY_ASSIGN_OR_RETURN(const std::string digest, WriteDirectory(uri, "training"));
    TY_ASSIGN_OR_RETURN(
        const task::CommitResult result,
        session_->CommitCheckpoint({.step = step_, .uri = uri, .manifest_sha256 = digest},
                                   kCommitTimeout));
    saved_step_ = step_;
    for (const std::string& old : result.prune) {
      TY_ASSIGN_OR_RETURN(const std::string directory, assignment_.roots.Resolve(old));
      TY_RETURN_IF_ERROR(checkpoint::RemoveCheckpoint(directory));
    }
    return absl::OkStatus();
  }

  EndReason Finish() {
    session_->Report({.phase = "finish", .step = step_, .total_steps = plan_.steps});
    const std::string uri =
        JoinRootUri(assignment_.run_uri, absl::StrCat("e", assignment_.epoch, "/output"));
    const absl::StatusOr<std::string> digest = WriteDirectory(uri, "model");
    if (!digest.ok()) return Failed(digest.status());
    task::Artifact output;
    output.name = "model";
    output.uri = uri;
    output.manifest_sha256 = *digest;
    output.job_id = assignment_.job_id;
    output.epoch = assignment_.epoch;
    output.type = "model";
    output.size_bytes = plan_.checkpoint_bytes;
    const absl::Status finished = session_->FinishJob({output}, kCommitTimeout);
    return finished.ok() ? End(EndClass::kSucceeded, "all steps done") : Failed(finished);
  }

  const task::Assignment& assignment_;
  const FakePlan& plan_;
  task::TaskSession* const session_;
  int64_t step_ = 0;
  int64_t saved_step_ = 0;
};

}  // namespace

absl::StatusOr<FakePlan> PlanOf(const task::Assignment& assignment) {
  v1::JobSpec spec;
  if (!spec.ParseFromString(assignment.job_spec) || !spec.has_fake()) {
    return absl::InvalidArgumentError("the job's spec is not of kind \"fake\"");
  }
  FakePlan plan;
  plan.steps = spec.fake().steps();
  plan.step_time = absl::Seconds(spec.fake().step_seconds());
  plan.checkpoint_every = spec.fake().checkpoint_every();
  plan.fail_at_step = spec.fake().fail_at_step();
  if (spec.fake().fail_class() != v1::END_CLASS_UNSPECIFIED) {
    plan.fail_class = static_cast<EndClass>(spec.fake().fail_class());
  }
  plan.hang_at_step = spec.fake().hang_at_step();
  plan.checkpoint_bytes = spec.fake().checkpoint_bytes();
  for (const v1::RoleSpec& role : spec.roles()) {
    const bool controlled = role.name() == "controller" && role.count() > 0;
    if (controlled && assignment.role != "controller") plan.led = true;
  }
  return plan;
}

EndReason RunFakeTask(const task::Assignment& assignment, const FakePlan& plan,
                      task::TaskSession* session) {
  return FakeTask(assignment, plan, session).Run();
}

}  // namespace trainyard::agent
