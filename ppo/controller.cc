#include "ppo/controller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/atomic_file.h"
#include "base/cause.h"
#include "base/log.h"
#include "base/status.h"
#include "ppo/reward_client.h"
#include "rl/balance.h"
#include "rl/iteration_targets.h"
#include "rl/kl.h"

namespace trainyard::ppo {
namespace {

// Validation answers have rows of their own, far above those of training, so that each validation
// asks the same random numbers.
constexpr int64_t kValidationRow = int64_t{1} << 40;
constexpr absl::Duration kLeastAcknowledgementWait = absl::Seconds(2);
constexpr absl::Duration kAcknowledgementTick = absl::Milliseconds(50);

// How long a stretch of work took, into a metric.
class Stopwatch {
 public:
  explicit Stopwatch(const Clock& clock) : clock_(clock), begin_(clock.Monotonic()) {}
  double Seconds() const { return absl::ToDoubleSeconds(clock_.Monotonic() - begin_); }

 private:
  const Clock& clock_;
  const absl::Duration begin_;
};

// The learner ranks that serve. Before that their endpoint is where they meet each other.
std::vector<task::Peer> Serving(const task::PeerSnapshot& snapshot) {
  std::vector<task::Peer> learners = snapshot.Ready("learner");
  learners.erase(std::remove_if(learners.begin(), learners.end(),
                                [](const task::Peer& peer) {
                                  return peer.endpoint.empty() ||
                                         absl::StrContains(peer.endpoint, "://");
                                }),
                 learners.end());
  return learners;
}

void DescribeScores(const std::vector<rl::Trajectory>& trajectories,
                    std::map<std::string, double>& metrics) {
  std::map<std::string, std::pair<double, int64_t>> sums;
  for (const rl::Trajectory& trajectory : trajectories) {
    for (const rl::ComponentScore& score : trajectory.scores) {
      if (score.status != rl::ScoreStatus::kOk) continue;
      auto& [sum, count] = sums[score.component];
      sum += score.raw;
      ++count;
    }
  }
  for (const auto& [component, sum] : sums) {
    metrics[absl::StrCat("reward_raw/", component)] =
        sum.first / static_cast<double>(sum.second);
  }
}

}  // namespace

Controller::Controller(ControllerOptions options, const ControllerContext& context)
    : options_(std::move(options)), context_(context) {}
Controller::~Controller() = default;

absl::Status Controller::Run() {
  TY_RETURN_IF_ERROR(Prepare());
  while (state_.iteration < options_.iterations) {
    const absl::Status status = Iterate();
    if (status.ok()) continue;
    const auto stop = context_.session->StopRequested();
    if (absl::IsCancelled(status) && stop.has_value() && stop->checkpoint) {
      // The iteration in flight is drawn again from the same rows after the restart.
      TY_RETURN_IF_ERROR(Commit());
      TY_RETURN_IF_ERROR(committer_->Flush());
    }
    return status;
  }
  return Finish();
}

absl::Status Controller::Iterate() {
  const Stopwatch iteration_watch(*context_.clock);
  std::vector<DrawnPrompt> prompts;
  TY_ASSIGN_OR_RETURN(const int64_t first_row,
                      ledger_->Draw(options_.prompts_per_iteration, options_.samples_per_prompt));
  for (int64_t i = 0; i < options_.prompts_per_iteration; ++i) {
    prompts.push_back(context_.prompts->train(first_row + i));
  }
  TY_ASSIGN_OR_RETURN(CollectionReport collected, Collect(std::move(prompts)));
  MetricMap metrics = std::move(collected.metrics);
  DescribeScores(collected.trajectories, metrics);

  const Stopwatch update_watch(*context_.clock);
  TY_ASSIGN_OR_RETURN(const Update update, PlanUpdate(std::move(collected.trajectories)));
  TY_ASSIGN_OR_RETURN(UpdateResult result, RunUpdate(update));
  metrics.merge(result.metrics);
  metrics["update_seconds"] = update_watch.Seconds();
  metrics["beta"] = state_.beta;
  const auto reward = metrics.find("reward");
  reward_ = reward == metrics.end() ? std::nullopt : std::optional(reward->second);
  metrics["staleness"] = 0;  // every answer came from the version that it trains

  TY_RETURN_IF_ERROR(ledger_->Consume(
      update.trajectories, rl::ExclusionReasons(update.trajectories, options_.no_end_rule)));
  state_.ledger = ledger_->rows();
  state_.iteration = ledger_->next_iteration();
  state_.version = result.version;
  if (options_.adaptive_beta.has_value()) {
    state_.beta = rl::NextBeta(state_.beta, metrics["kl"],
                               static_cast<int64_t>(metrics["trained_samples"]),
                               *options_.adaptive_beta);
  }

  const Stopwatch publish_watch(*context_.clock);
  TY_RETURN_IF_ERROR(Publish());
  metrics["publish_seconds"] = publish_watch.Seconds();
  if (options_.eval_every > 0 && state_.iteration % options_.eval_every == 0) {
    TY_RETURN_IF_ERROR(Validate(metrics));
  }
  if (state_.iteration % options_.checkpoint_every == 0 ||
      state_.iteration == options_.iterations) {
    const Stopwatch commit_watch(*context_.clock);
    TY_RETURN_IF_ERROR(Commit());
    metrics["checkpoint_seconds"] = commit_watch.Seconds();
  }
  metrics["iteration_seconds"] = iteration_watch.Seconds();
  context_.session->ReportMetrics(state_.iteration, metrics);
  Log().info("iteration {}/{}: reward {} kl {:.3f} clip {:.3f} gap {:.1e} tokens {:.1f}, "
             "{:.2f} s",
             state_.iteration, options_.iterations,
             reward_.has_value() ? absl::StrFormat("%.3f", *reward_) : "not measured",
             metrics["kl"], metrics["clip_fraction"], metrics["rollout_gap"],
             metrics["answer_tokens"], metrics["iteration_seconds"]);
  return absl::OkStatus();
}

absl::Status Controller::Prepare() {
  Enter("load");
  TY_ASSIGN_OR_RETURN(const task::PeerSnapshot peers,
                      context_.session->WaitForPeers(
                          [this](const task::PeerSnapshot& snapshot) {
                            const int serving = static_cast<int>(Serving(snapshot).size());
                            return serving >= options_.learners &&
                                   !snapshot.Ready("reward").empty();
                          },
                          options_.timeouts.ready));
  learners_ = std::make_unique<Learners>(Serving(peers), options_);
  TY_ASSIGN_OR_RETURN(const LearnerSpec learner, learners_->GetSpec());
  if (options_.tokenizer_hash.empty()) options_.tokenizer_hash = learner.tokenizer_hash;
  state_ = {.beta = options_.beta,
            .seed = options_.seed,
            .data_fingerprint = context_.prompts->fingerprint,
            .tokenizer_hash = options_.tokenizer_hash};
  TY_ASSIGN_OR_RETURN(state_.reward_spec_hash, RewardSpecHash());
  TY_RETURN_IF_ERROR(Restore(learner));
  state_.numerics["learner"] = learner.numerics_id;
  gate_ = NumericsGate(state_.numerics);

  TY_ASSIGN_OR_RETURN(const std::string run, options_.roots.Resolve(JoinRootUri(
                                                 options_.run_uri,
                                                 absl::StrCat("e", options_.fence.epoch))));
  TY_RETURN_IF_ERROR(MakeDirectories(run));
  TY_ASSIGN_OR_RETURN(ledger_, Ledger::Open(state_.ledger, absl::StrCat(run, "/ledger.jsonl")));
  committer_ = std::make_unique<Committer>(options_, learners_.get(), context_.session);
  publication_ = std::make_unique<Publication>(
      options_, [this](const task::Peer& peer) { return gate_.Admit(peer); });
  TY_ASSIGN_OR_RETURN(v1::WeightsManifest manifest, learners_->Publish(state_.version));
  publication_->Publish(std::move(manifest));
  return absl::OkStatus();
}

// Learners restore first; the controller takes the very checkpoint that they took.
absl::Status Controller::Restore(const LearnerSpec& learner) {
  if (learner.restored_manifest_sha256.empty()) {
    if (learner.iteration == 0) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "the learners are at iteration ", learner.iteration, " without a restored checkpoint"));
  }
  TY_ASSIGN_OR_RETURN(RunState restored,
                      RestoreRunState(*context_.assignment, learner.restored_manifest_sha256));
  TY_RETURN_IF_ERROR(CheckSameRun(restored, state_));
  if (restored.iteration != learner.iteration || restored.version != learner.version) {
    return absl::InternalError(absl::StrCat("restored iteration ", restored.iteration,
                                            ", the learners are at ", learner.iteration));
  }
  if (options_.allow_numerics_change) {
    restored.numerics.clear();
  } else if (restored.numerics["learner"] != learner.numerics_id) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the checkpoint was computed as \"", restored.numerics["learner"],
        "\", the learners now compute as \"", learner.numerics_id,
        "\": resume on the same kind of machine, or with --allow-numerics-change"));
  }
  state_ = std::move(restored);
  committed_iteration_ = state_.iteration;
  Log().info("restored iteration {}, policy version {}, ledger row {}", state_.iteration,
             state_.version, state_.ledger.next_row());
  return absl::OkStatus();
}

absl::StatusOr<std::string> Controller::RewardSpecHash() {
  const std::vector<task::Peer> rewards = context_.session->Peers().Ready("reward");
  if (rewards.empty()) return PeerLostError("the reward task is gone again");
  RewardClient client(rewards.front().endpoint, options_.fence);
  TY_ASSIGN_OR_RETURN(const RewardSpec spec, client.GetSpec(options_.timeouts.call));
  if (!spec.tokenizer_hash.empty() && !options_.tokenizer_hash.empty() &&
      spec.tokenizer_hash != options_.tokenizer_hash) {
    return absl::FailedPreconditionError(
        absl::StrCat("the reward model was trained with tokenizer ", spec.tokenizer_hash,
                     ", the policy uses ", options_.tokenizer_hash));
  }
  return spec.spec_hash;
}

CollectionContext Controller::Collecting() {
  return {.options = &options_,
          .session = context_.session,
          .publication = publication_.get(),
          .tokenizer = context_.tokenizer,
          .admit = [this](const task::Peer& peer) { return gate_.Admit(peer); },
          .clock = context_.clock};
}

absl::StatusOr<CollectionReport> Controller::Collect(std::vector<DrawnPrompt> prompts) {
  phase_ = "generate";
  Collection collection(Collecting(), std::move(prompts), options_.samples_per_prompt);
  return collection.Run(state_.iteration);
}

absl::StatusOr<Update> Controller::PlanUpdate(std::vector<rl::Trajectory> trajectories) const {
  TY_RETURN_IF_ERROR(rl::SortCanonically(trajectories));
  const std::vector<std::string> reasons =
      rl::ExclusionReasons(trajectories, options_.no_end_rule);
  std::vector<rl::PlanRow> rows;
  for (size_t i = 0; i < trajectories.size(); ++i) {
    const int64_t trained = static_cast<int64_t>(rl::TrainedTokens(trajectories[i]).size());
    rows.push_back({.tokens = static_cast<int64_t>(trajectories[i].token_ids.size()),
                    .trained_tokens = reasons[i].empty() ? trained : 0});
  }
  Update update = {.iteration = state_.iteration,
                   .base_version = state_.version,
                   .beta = state_.beta,
                   .critic_only = state_.iteration < options_.critic_warmup};
  TY_ASSIGN_OR_RETURN(update.plan,
                      rl::MakeIterationPlan(rows, {.seed = options_.seed,
                                                   .iteration = state_.iteration,
                                                   .passes = options_.passes,
                                                   .minibatch_rows = options_.minibatch,
                                                   .ranks = options_.learners}));
  update.trajectories = std::move(trajectories);
  return update;
}

absl::StatusOr<UpdateResult> Controller::RunUpdate(const Update& update) {
  Enter("update");
  return learners_->Run(update, [this](int pass, int minibatch) {
    Log().debug("iteration {} pass {} minibatch {}", state_.iteration, pass, minibatch);
  });
}

absl::Status Controller::Publish() {
  Enter("publish");
  const int64_t superseded = publication_->version();
  TY_ASSIGN_OR_RETURN(v1::WeightsManifest manifest, learners_->Publish(state_.version));
  AwaitServing(publication_->Publish(std::move(manifest)));
  learners_->Release(superseded);
  return absl::OkStatus();
}

// Waits for those who served the version before, as far as they are still there. Once the first
// serves the new one, the others get as long again; then they are stale, and the loop goes on.
void Controller::AwaitServing(int served_before) {
  const absl::Duration begin = context_.clock->Monotonic();
  absl::Duration patience = options_.timeouts.load_weights;
  bool first = true;
  while (!context_.session->StopRequested().has_value()) {
    const int there = publication_->Reconcile(context_.session->Peers());
    const int tasks = std::min(there, std::max(served_before, 1));
    const int serving = publication_->WaitForAcknowledgements(tasks, kAcknowledgementTick);
    const absl::Duration waited = context_.clock->Monotonic() - begin;
    if (serving >= tasks) return;
    if (serving > 0 && first) {
      patience = std::max(kLeastAcknowledgementWait, 2 * waited);
      first = false;
    }
    if (waited < patience) continue;
    Log().warn("{} of {} rollout tasks serve version {}; the others are stale: no prompts", serving,
               there, state_.version);
    return;
  }
}

absl::Status Controller::Commit() {
  if (committed_iteration_ == state_.iteration) return absl::OkStatus();
  Enter("checkpoint");
  state_.numerics = gate_.ids();
  TY_RETURN_IF_ERROR(committer_->Commit(state_));
  committed_iteration_ = state_.iteration;
  return absl::OkStatus();
}

absl::Status Controller::Validate(MetricMap& metrics) {
  if (context_.prompts->validation.empty()) return absl::OkStatus();
  Enter("eval");
  std::vector<DrawnPrompt> prompts = context_.prompts->validation;
  for (size_t i = 0; i < prompts.size(); ++i) {
    prompts[i].row = kValidationRow + static_cast<int64_t>(i);
  }
  Collection collection(Collecting(), std::move(prompts), /*samples=*/1);
  TY_ASSIGN_OR_RETURN(const CollectionReport report, collection.Run(state_.iteration));
  TY_ASSIGN_OR_RETURN(const auto policy, learners_->Score(v1::POLICY, report.trajectories));
  TY_ASSIGN_OR_RETURN(const auto reference, learners_->Score(v1::REFERENCE, report.trajectories));
  double score = 0;
  double kl = 0;
  int64_t scored = 0;
  for (size_t i = 0; i < report.trajectories.size(); ++i) {
    if (report.trajectories[i].status == rl::ScoreStatus::kOk) {
      score += report.trajectories[i].reward;
      ++scored;
    }
    for (size_t t = 0; t < policy[i].size(); ++t) kl += rl::K1(policy[i][t], reference[i][t]);
  }
  // No score is no score, not 0.
  if (scored > 0) metrics["eval_reward"] = score / static_cast<double>(scored);
  metrics["eval_kl"] = kl / static_cast<double>(report.trajectories.size());
  return absl::OkStatus();
}

absl::Status Controller::Finish() {
  Enter("finish");
  TY_RETURN_IF_ERROR(committer_->Flush());
  std::vector<task::Artifact> outputs;
  TY_ASSIGN_OR_RETURN(outputs.emplace_back(), Export(PolicyForm::kModel));
  if (options_.adapter) {
    TY_ASSIGN_OR_RETURN(outputs.emplace_back(), Export(PolicyForm::kAdapter));
  }
  return context_.session->FinishJob(outputs, options_.timeouts.commit);
}

absl::StatusOr<task::Artifact> Controller::Export(PolicyForm form) {
  TY_ASSIGN_OR_RETURN(const FinalPolicy policy, committer_->ExportPolicy(state_, form));
  const bool adapter = form == PolicyForm::kAdapter;
  return task::Artifact{.name = adapter ? "adapter" : "policy",
                        .uri = policy.uri,
                        .manifest_sha256 = policy.manifest_sha256,
                        .job_id = options_.fence.job_id,
                        .epoch = options_.fence.epoch,
                        .type = adapter ? "adapter" : "model",
                        .size_bytes = policy.size_bytes};
}

void Controller::Enter(const std::string& phase) {
  phase_ = phase;
  context_.session->Report({.phase = phase,
                            .step = state_.iteration,
                            .total_steps = options_.iterations,
                            .headline = reward_.value_or(0),
                            .headline_name = reward_.has_value() ? "reward" : ""});
}

}  // namespace trainyard::ppo
