#include "eval/collector.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "eval/reward_client.h"

namespace trainyard::eval {
namespace {

constexpr size_t kChunkAnswers = 256;
// A lane keeps rows until there are so many, or the first is so old.
constexpr size_t kRowsPerReport = 32;
constexpr absl::Duration kOldestRow = absl::Seconds(1);
constexpr size_t kReportsQueued = 64;
constexpr absl::Duration kChunkTimeout = absl::Hours(1);
constexpr absl::Duration kScoreTimeout = absl::Minutes(5);
constexpr absl::Duration kRewardWait = absl::Seconds(5);
constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr absl::Duration kRetryPause = absl::Seconds(1);
constexpr absl::Duration kRateInterval = absl::Seconds(2);
constexpr absl::Duration kRateTimeout = absl::Seconds(2);

// Whether another task, or the same one later, may succeed.
bool WorthAnotherTry(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
         absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

// One rollout task at work.
class Collector::Lane {
 public:
  Lane(Collector* collector, const task::Peer& peer)
      : collector_(collector),
        task_uid_(peer.task_uid),
        client_(peer.endpoint, collector->fence_),
        thread_([this] { Work(); }) {}
  ~Lane() { thread_.join(); }

 private:
  void Work() {
    absl::Status status;
    while (status.ok()) {
      const std::vector<const data::Prompt*> chunk = collector_->TakeChunk();
      if (chunk.empty()) break;
      status = Draw(chunk);
    }
    LaneReport report;
    report.task_uid = task_uid_;
    report.ended = status;
    Tell(std::move(report));
  }

  // Draws a chunk, and tells its rows as they are whole.
  absl::Status Draw(const std::vector<const data::Prompt*>& chunk) {
    std::map<int64_t, const data::Prompt*> open;
    std::vector<PromptTokens> tokens;
    for (const data::Prompt* prompt : chunk) {
      open[prompt->row] = prompt;
      tokens.push_back({prompt->row, &prompt->token_ids});
    }
    const Sampling& sampling = collector_->options_.sampling;
    std::map<int64_t, std::map<int32_t, Answer>> partial;
    std::vector<AnsweredRow> whole;
    absl::Status failed;
    absl::Duration flushed_at = Clock::Real().Monotonic();
    const auto flush = [&] {
      if (!failed.ok() || whole.empty()) return;
      flushed_at = Clock::Real().Monotonic();
      failed = Finish(&whole, open);
      if (!failed.ok()) return;
      for (const AnsweredRow& row : whole) open.erase(row.row);
      LaneReport report;
      report.task_uid = task_uid_;
      report.rows = std::exchange(whole, {});
      Tell(std::move(report));
    };
    const auto on_answer = [&](DrawnAnswer drawn) {
      auto& samples = partial[drawn.row];
      samples[drawn.sample] = std::move(drawn.answer);
      if (samples.size() < sampling.samples) return;
      AnsweredRow& row = whole.emplace_back();
      row.row = drawn.row;
      for (auto& [sample, answer] : samples) row.answers.push_back(std::move(answer));
      partial.erase(drawn.row);
      const absl::Duration age = Clock::Real().Monotonic() - flushed_at;
      if (whole.size() >= kRowsPerReport || age >= kOldestRow) flush();
    };
    const absl::Status status =
        client_.Generate(tokens, sampling, {kChunkTimeout, &collector_->scope_}, on_answer);
    flush();
    std::vector<const data::Prompt*> unfinished;
    for (const auto& [row, prompt] : open) unfinished.push_back(prompt);
    collector_->GiveBack(unfinished);
    return failed.ok() ? status : failed;
  }

  // Text and scores of rows.
  absl::Status Finish(std::vector<AnsweredRow>* rows,
                      const std::map<int64_t, const data::Prompt*>& prompts) {
    const CollectorOptions& options = collector_->options_;
    std::vector<RewardClient::Item> items;
    for (AnsweredRow& row : *rows) {
      for (size_t sample = 0; sample < row.answers.size(); ++sample) {
        Answer& answer = row.answers[sample];
        answer.text =
            options.tokenizer->Decode(answer.token_ids, tokenizer::SpecialTokens::kSkip);
        items.push_back({prompts.at(row.row), static_cast<int32_t>(sample), &answer});
      }
    }
    return options.scored ? ScoreItems(items) : absl::OkStatus();
  }

  // By any reward task; by the next one when it is gone.
  absl::Status ScoreItems(const std::vector<RewardClient::Item>& items) {
    const auto any_reward = [](const task::PeerSnapshot& peers) {
      return !peers.Ready("reward").empty();
    };
    const absl::Duration give_up = Clock::Real().Monotonic() + collector_->options_.stall;
    absl::Status status;
    for (uint64_t attempt = 0; Clock::Real().Monotonic() < give_up; ++attempt) {
      if (collector_->reports_.closed()) return absl::CancelledError("the collection has ended");
      const auto snapshot = collector_->session_->WaitForPeers(any_reward, kRewardWait);
      status = snapshot.status();
      if (status.ok()) {
        const std::vector<task::Peer> peers = snapshot->Ready("reward");
        const task::Peer& peer = peers[(task_uid_ + attempt) % peers.size()];
        status = RewardClient(peer.endpoint, collector_->fence_)
                     .Score(items, collector_->options_.tokenizer_sha256, kScoreTimeout);
      }
      if (status.ok() || !WorthAnotherTry(status)) return status;
      Log().warn("scoring answers: {}", std::string(status.message()));
    }
    return status;
  }

  void Tell(LaneReport report) {
    while (!collector_->reports_.Push(std::move(report), kLook) && !collector_->reports_.closed()) {
    }
  }

  Collector* const collector_;
  const uint64_t task_uid_;
  RolloutClient client_;
  std::thread thread_;
};

Collector::Collector(task::TaskSession* session, const rpc::JobFence& fence,
                     const CollectorOptions& options)
    : session_(session), fence_(fence), options_(options), reports_(kReportsQueued) {}

Collector::~Collector() {
  {
    absl::MutexLock lock(&mutex_);
    pending_.clear();
  }
  scope_.Cancel();
  reports_.Close();
  lanes_.clear();
}

absl::Status Collector::Run(const std::vector<const data::Prompt*>& prompts, AnswerLog* log,
                            const std::function<void(const Progress&)>& on_progress) {
  std::map<int64_t, const data::Prompt*> by_row;
  std::vector<const data::Prompt*> missing;
  for (const data::Prompt* prompt : prompts) {
    by_row[prompt->row] = prompt;
    if (!log->rows().contains(prompt->row)) missing.push_back(prompt);
  }
  GiveBack(missing);
  size_t left = missing.size();
  Progress progress{static_cast<int64_t>(prompts.size() - left), false};
  on_progress(progress);
  absl::Duration last_sign = Clock::Real().Monotonic();
  while (left > 0) {
    StartLanes();
    if (lanes_.empty() != progress.waiting) {
      progress.waiting = lanes_.empty();
      on_progress(progress);
    }
    std::optional<LaneReport> report = reports_.Pop(std::min(kLook, options_.stall / 8));
    if (!report.has_value()) {
      const absl::Duration now = Clock::Real().Monotonic();
      if (RateChanged(&progress)) {
        last_sign = now;
        on_progress(progress);
      }
      if (now - last_sign > options_.stall) return Stalled();
      continue;
    }
    if (report->ended.has_value()) TY_RETURN_IF_ERROR(OnEnded(*report));
    if (report->rows.empty()) continue;
    TY_RETURN_IF_ERROR(log->Append(
        report->rows, [&](int64_t row) -> const data::Prompt& { return *by_row.at(row); }));
    left -= report->rows.size();
    last_sign = Clock::Real().Monotonic();
    progress.rows = static_cast<int64_t>(prompts.size() - left);
    on_progress(progress);
  }
  return absl::OkStatus();
}

void Collector::StartLanes() {
  if (!HasPending()) return;
  const absl::Duration now = Clock::Real().Monotonic();
  for (const task::Peer& peer : session_->Peers().Ready("rollout")) {
    if (options_.rollout_index.has_value() && peer.index != *options_.rollout_index) continue;
    if (lanes_.contains(peer.task_uid) || now < not_before_[peer.task_uid]) continue;
    lanes_[peer.task_uid] = std::make_unique<Lane>(this, peer);
  }
}

absl::Status Collector::OnEnded(const LaneReport& report) {
  lanes_.erase(report.task_uid);
  if (report.ended->ok()) return absl::OkStatus();
  if (!WorthAnotherTry(*report.ended)) return *report.ended;
  Log().warn("a rollout task did not finish its prompts, they are drawn again: {}",
             std::string(report.ended->message()));
  last_failure_ = *report.ended;
  not_before_[report.task_uid] = Clock::Real().Monotonic() + kRetryPause;
  return absl::OkStatus();
}

bool Collector::RateChanged(Progress* progress) {
  const absl::Duration now = Clock::Real().Monotonic();
  if (now - looked_at_ < std::min(kRateInterval, options_.stall / 8)) return false;
  looked_at_ = now;
  double rate = 0;
  for (const task::Peer& peer : session_->Peers().Ready("rollout")) {
    if (!lanes_.contains(peer.task_uid)) continue;
    rate += RolloutClient(peer.endpoint, fence_).TokensPerSecond(kRateTimeout).value_or(0);
  }
  return std::exchange(progress->tokens_per_second, rate) != rate;
}

absl::Status Collector::Stalled() const {
  return absl::DeadlineExceededError(absl::StrCat(
      "no answer was finished and no token drawn for ", absl::FormatDuration(options_.stall), "; ",
      session_->Peers().Ready("rollout").size(), " rollout tasks are ready",
      last_failure_.ok() ? "" : absl::StrCat("; last failure: ", last_failure_.message())));
}

std::vector<const data::Prompt*> Collector::TakeChunk() {
  absl::MutexLock lock(&mutex_);
  const size_t most = std::max<size_t>(1, kChunkAnswers / options_.sampling.samples);
  const size_t count = std::min(pending_.size(), most);
  std::vector<const data::Prompt*> chunk(pending_.begin(), pending_.begin() + count);
  pending_.erase(pending_.begin(), pending_.begin() + count);
  return chunk;
}

void Collector::GiveBack(const std::vector<const data::Prompt*>& prompts) {
  absl::MutexLock lock(&mutex_);
  pending_.insert(pending_.end(), prompts.begin(), prompts.end());
}

bool Collector::HasPending() const {
  absl::MutexLock lock(&mutex_);
  return !pending_.empty();
}

}  // namespace trainyard::eval
