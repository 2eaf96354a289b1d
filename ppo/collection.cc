#include "ppo/collection.h"

#include <algorithm>
#include <set>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/status.h"

namespace trainyard::ppo {
namespace {

// Two streams a task: while one ends with its longest answers, the other keeps the engine full.
constexpr int kStreamsPerRollout = 2;
constexpr int kCallsPerReward = 2;
constexpr size_t kLeastPrompts = 8;
constexpr size_t kLeastScores = 16;
constexpr absl::Duration kIdleWait = absl::Milliseconds(50);
constexpr absl::Duration kTick = absl::Milliseconds(50);

bool IsInfrastructure(rl::ScoreStatus status) {
  return status == rl::ScoreStatus::kTimeout || status == rl::ScoreStatus::kVerifierError ||
         status == rl::ScoreStatus::kModelError;
}

}  // namespace

Collection::Collection(const CollectionContext& context, std::vector<DrawnPrompt> prompts,
                       int64_t samples)
    : context_(context),
      total_(prompts.size() * static_cast<size_t>(samples)),
      begun_at_(context.clock->Monotonic()) {
  last_progress_ = generated_at_ = begun_at_;
  std::vector<SampleRequest> requests;
  for (DrawnPrompt& prompt : prompts) {
    for (int64_t sample = 0; sample < samples; ++sample) {
      requests.push_back({prompt.row, sample, prompt.token_ids});
    }
    const int64_t row = prompt.row;
    prompts_.emplace(row, std::move(prompt));
  }
  to_generate_.Add(std::move(requests));
  rollout_threads_ = std::make_unique<TaskThreads>(
      TaskThreadsOptions{"rollout", kStreamsPerRollout, context.admit},
      [this](const task::Peer& peer, CancelScope* scope) { return GenerateSome(peer, scope); });
  reward_threads_ = std::make_unique<TaskThreads>(
      TaskThreadsOptions{"reward", kCallsPerReward, context.admit},
      [this](const task::Peer& peer, CancelScope* scope) { return ScoreSome(peer, scope); });
}

Collection::~Collection() = default;

auto Collection::Asking(const task::Peer& peer) {
  absl::MutexLock lock(&mutex_);
  const auto entry = asked_.insert(absl::StrCat(peer.role, "/", peer.index));
  return absl::MakeCleanup([this, entry] {
    absl::MutexLock lock(&mutex_);
    asked_.erase(entry);
  });
}

absl::Status Collection::GenerateSome(const task::Peer& peer, CancelScope* scope) {
  if (!context_.publication->IsCurrent(peer.task_uid)) {
    scope->WaitRetired(kIdleWait);  // STALE: its weights are being loaded
    return absl::OkStatus();
  }
  const int takers = std::max(1, rollout_tasks_.load()) * kStreamsPerRollout;
  std::vector<SampleRequest> taken = to_generate_.Take(takers, kLeastPrompts, kIdleWait);
  if (taken.empty()) return absl::OkStatus();
  const ControllerOptions& options = *context_.options;
  std::set<Key> missing;
  for (const SampleRequest& sample : taken) missing.insert({sample.row, sample.sample});
  const auto asking = Asking(peer);
  RolloutClient client(peer.endpoint, options.fence);
  const absl::Status status = client.Generate(
      taken,
      {.sampling = options.sampling,
       .seed = options.seed,
       .policy_version = context_.publication->version(),
       .tokenizer_hash = options.tokenizer_hash,
       .timeout = options.timeouts.generate},
      [&](rl::Trajectory trajectory) {
        if (missing.erase({trajectory.row, trajectory.sample}) > 0) Answered(std::move(trajectory));
      },
      scope);
  if (status.ok() && missing.empty()) {
    absl::MutexLock lock(&mutex_);
    answers_by_task_[absl::StrCat("rollout/", peer.index)] += static_cast<int64_t>(taken.size());
    return absl::OkStatus();
  }
  taken.erase(std::remove_if(taken.begin(), taken.end(), [&](const SampleRequest& sample) {
                return missing.count({sample.row, sample.sample}) == 0;
              }), taken.end());
  {
    absl::MutexLock lock(&mutex_);
    retried_answers_ += static_cast<int64_t>(taken.size());
    last_failure_ = absl::StrCat("rollout/", peer.index, ": ", status.ToString());
  }
  to_generate_.Return(std::move(taken));
  if (absl::IsFailedPrecondition(status)) context_.publication->MarkStale(peer.task_uid);
  return status;
}

void Collection::Answered(rl::Trajectory trajectory) {
  const DrawnPrompt& prompt = prompts_.at(trajectory.row);
  std::vector<int32_t> ids;
  for (int64_t index : rl::TrainedTokens(trajectory)) ids.push_back(trajectory.token_ids[index]);
  const size_t tokens = ids.size();
  Answer answer = {.trajectory = std::move(trajectory),
                   .prompt = prompt.text,
                   .text = context_.tokenizer->Decode(ids, tokenizer::SpecialTokens::kSkip),
                   .reference = prompt.reference};
  {
    absl::MutexLock lock(&mutex_);
    ++generated_;
    generated_tokens_ += static_cast<int64_t>(tokens);
    last_progress_ = generated_at_ = context_.clock->Monotonic();
  }
  std::vector<Answer> answers;
  answers.push_back(std::move(answer));
  to_score_.Add(std::move(answers));
}

absl::Status Collection::ScoreSome(const task::Peer& peer, CancelScope* scope) {
  const int takers = std::max(1, reward_tasks_.load()) * kCallsPerReward;
  std::vector<Answer> taken = to_score_.Take(takers, kLeastScores, kIdleWait);
  if (taken.empty()) return absl::OkStatus();
  const ControllerOptions& options = *context_.options;
  const auto asking = Asking(peer);
  RewardClient client(peer.endpoint, options.fence);
  absl::Status status =
      client.Score(taken, options.tokenizer_hash, options.timeouts.score, scope);
  std::vector<Answer> again;
  if (!status.ok()) again = std::move(taken);
  absl::MutexLock lock(&mutex_);
  for (Answer& answer : taken) {
    const rl::ScoreStatus score = answer.trajectory.status;
    if (score != rl::ScoreStatus::kOk) ++failed_scores_[score];
    if (IsInfrastructure(score)) {
      status = absl::UnavailableError(absl::StrCat("the score of ledger row ",
                                                   answer.trajectory.row, " is ",
                                                   rl::ScoreStatusName(score)));
      again.push_back(std::move(answer));
      continue;
    }
    last_progress_ = context_.clock->Monotonic();
    const Key key = {answer.trajectory.row, answer.trajectory.sample};
    done_.emplace(key, std::move(answer.trajectory));
  }
  if (!again.empty()) {
    last_failure_ = absl::StrCat("reward/", peer.index, ": ", status.ToString());
    // To the end of the line: somebody else may have it before this task's pause is over.
    to_score_.Add(std::move(again));
  }
  return status;
}

absl::Status Collection::Stalled() const {
  absl::MutexLock lock(&mutex_);
  const absl::Duration idle = context_.clock->Monotonic() - last_progress_;
  if (idle < context_.options->stall_limit) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "no answer and no score came for ", absl::FormatDuration(idle), " (stall_seconds): ",
      generated_, " of ", total_, " answers generated by ", rollout_tasks_.load(),
      " rollout tasks, ", done_.size(), " scored by ", reward_tasks_.load(),
      " reward tasks; asked without an answer yet: ",
      asked_.empty() ? "none" : absl::StrJoin(std::set(asked_.begin(), asked_.end()), ", "),
      "; last failure: ", last_failure_.empty() ? "none" : last_failure_));
}

absl::Status Collection::Wait(int64_t iteration) {
  while (true) {
    if (const auto stop = context_.session->StopRequested(); stop.has_value()) {
      return absl::CancelledError(absl::StrCat("stopped: ", stop->reason));
    }
    const task::PeerSnapshot peers = context_.session->Peers();
    context_.publication->Reconcile(peers);
    rollout_tasks_ = rollout_threads_->Reconcile(peers);
    reward_tasks_ = reward_threads_->Reconcile(peers);
    task::Progress progress = {.phase = "generate", .step = iteration,
                               .total_steps = context_.options->iterations};
    {
      absl::MutexLock lock(&mutex_);
      const auto finished = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return Finished(); };
      if (mutex_.AwaitWithTimeout(absl::Condition(&finished), kTick)) return absl::OkStatus();
      if (generated_ == total_) progress.phase = "score";
      if (generated_ < total_ && peers.Ready("rollout").empty()) {
        // Scaled to zero, or all are being started again: nothing is wrong with this task.
        progress.phase = "waiting_rollout";
        last_progress_ = context_.clock->Monotonic();
      }
    }
    context_.session->Report(progress);
    TY_RETURN_IF_ERROR(Stalled());
  }
}

absl::StatusOr<CollectionReport> Collection::Run(int64_t iteration) {
  const absl::Status waited = Wait(iteration);
  // No thread of ours is left when the results are read.
  to_generate_.Close();
  to_score_.Close();
  rollout_threads_.reset();
  reward_threads_.reset();
  TY_RETURN_IF_ERROR(waited);
  return Report();
}

absl::StatusOr<CollectionReport> Collection::Report() {
  absl::MutexLock lock(&mutex_);
  CollectionReport report;
  int64_t refused = 0;
  for (auto& [key, trajectory] : done_) {
    refused += trajectory.status == rl::ScoreStatus::kRejected;
    report.trajectories.push_back(std::move(trajectory));
  }
  const double share = static_cast<double>(refused) / static_cast<double>(total_);
  if (share > context_.options->max_failed_fraction) {
    return absl::FailedPreconditionError(absl::StrCat(
        refused, " of ", total_, " answers were refused by their scorer, more than the share ",
        context_.options->max_failed_fraction, " (max_failed_fraction)"));
  }
  const double seconds =
      std::max(1e-9, absl::ToDoubleSeconds(generated_at_ - begun_at_));
  auto& metrics = report.metrics;
  metrics["generate_seconds"] = seconds;
  metrics["score_seconds"] = absl::ToDoubleSeconds(context_.clock->Monotonic() - generated_at_);
  metrics["generate_tokens_per_second"] = static_cast<double>(generated_tokens_) / seconds;
  metrics["answers_retried"] = static_cast<double>(retried_answers_);
  for (const auto& [status, count] : failed_scores_) {
    metrics[absl::StrCat("scores_failed/", rl::ScoreStatusName(status))] =
        static_cast<double>(count);
  }
  for (const auto& [task, answers] : answers_by_task_) {
    metrics[absl::StrCat("answers/", task)] = static_cast<double>(answers);
  }
  return report;
}

}  // namespace trainyard::ppo
