#include "reward_service/scoring_loop.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/status.h"

namespace trainyard::reward_service {
namespace {

constexpr size_t kMostCalls = 256;
constexpr int kMostQueuedItems = 65536;
// Items that are scored together before their results leave. Large enough for full batches.
constexpr size_t kChunkItems = 256;
// How long a call waits for the company of others.
constexpr absl::Duration kCompanyWait = absl::Milliseconds(2);
constexpr size_t kCachedItems = 65536;

bool RanOutOfTime(const ScoredItem& scored) {
  return std::any_of(
      scored.components.begin(), scored.components.end(),
      [](const ComponentScore& score) { return score.status == ScoreStatus::kTimeout; });
}

}  // namespace

ScoringLoop::ScoringLoop(const Clock& clock)
    : clock_(clock),
      calls_(kMostCalls),
      cache_(kCachedItems),
      window_begin_(clock.Monotonic()) {}

absl::StatusOr<std::unique_ptr<ScoringLoop>> ScoringLoop::Start(
    std::function<absl::StatusOr<std::unique_ptr<Reward>>()> make, const Clock& clock) {
  std::unique_ptr<ScoringLoop> loop(new ScoringLoop(clock));
  absl::Notification made;
  absl::Status status;
  ScoringLoop* const self = loop.get();
  loop->thread_ = std::thread([self, make = std::move(make), &made, &status] {
    auto reward = make();
    status = reward.status();
    if (reward.ok()) {
      self->reward_ = *std::move(reward);
      self->facts_ = {self->reward_->hash(), self->reward_->names(), self->reward_->learned()};
    }
    const bool serve = status.ok();
    made.Notify();
    if (serve) self->Run();
    self->reward_.reset();
  });
  made.WaitForNotification();
  TY_RETURN_IF_ERROR(status);
  return loop;
}

ScoringLoop::~ScoringLoop() {
  stopping_.store(true);
  calls_.Close();
  thread_.join();
}

absl::StatusOr<std::shared_ptr<ScoringLoop::Results>> ScoringLoop::Submit(
    std::vector<ScoreItem> items, absl::Time deadline) {
  const int count = static_cast<int>(items.size());
  auto results = std::make_shared<Results>(items.size());
  {
    absl::MutexLock lock(&mutex_);
    if (load_.queued + count > kMostQueuedItems) {
      return absl::ResourceExhaustedError(absl::StrCat(
          load_.queued, " items wait to be scored, the limit is ", kMostQueuedItems,
          "; try again later or another server"));
    }
    load_.queued += count;
  }
  if (calls_.TryPush(Call{std::move(items), deadline, results})) return results;
  absl::MutexLock lock(&mutex_);
  load_.queued -= count;
  if (calls_.closed()) return absl::UnavailableError("the server is shutting down");
  return absl::ResourceExhaustedError(
      absl::StrCat(kMostCalls, " calls wait to be scored; try again later or another server"));
}

ScoringLoad ScoringLoop::load() const {
  absl::MutexLock lock(&mutex_);
  return load_;
}

void ScoringLoop::Run() {
  while (!stopping_.load() && Gather()) {
    std::vector<Waiting> chunk = NextChunk();
    ScoreChunk(chunk);
    Deliver(std::move(chunk));
  }
}

bool ScoringLoop::Gather() {
  if (waiting_.empty()) {
    std::optional<Call> call = calls_.Pop(absl::Seconds(1));
    if (!call.has_value()) return !calls_.closed();
    Take(*std::move(call));
  }
  const absl::Duration until = clock_.Monotonic() + kCompanyWait;
  while (waiting_.size() < kChunkItems) {
    std::optional<Call> call = calls_.Pop(until - clock_.Monotonic());
    if (!call.has_value()) break;
    Take(*std::move(call));
  }
  return true;
}

void ScoringLoop::Take(Call call) {
  for (ScoreItem& item : call.items) {
    std::string key = ContentKey(item);
    waiting_.push_back(
        {std::move(item), call.deadline, call.results, std::move(key), std::nullopt});
  }
}

std::vector<ScoringLoop::Waiting> ScoringLoop::NextChunk() {
  std::vector<Waiting> chunk;
  int taken = 0;
  for (; !waiting_.empty() && chunk.size() < kChunkItems; ++taken) {
    if (!waiting_.front().results->closed()) chunk.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  absl::MutexLock lock(&mutex_);
  load_.queued -= taken;
  load_.running = static_cast<int>(chunk.size());
  return chunk;
}

void ScoringLoop::ScoreChunk(std::vector<Waiting>& chunk) {
  std::vector<ScoreItem> items;
  std::vector<Waiting*> unknown;
  absl::Time first_deadline = absl::InfiniteFuture();
  for (Waiting& waiting : chunk) {
    if (const ScoredItem* known = cache_.Find(waiting.key); known != nullptr) {
      waiting.scored = *known;
      waiting.scored->row = waiting.item.row;
      waiting.scored->sample = waiting.item.sample;
      continue;
    }
    first_deadline = std::min(first_deadline, waiting.deadline);
    items.push_back(waiting.item);
    unknown.push_back(&waiting);
  }
  if (items.empty()) return;
  std::vector<ScoredItem> scored = reward_->Score(items, first_deadline);
  for (size_t i = 0; i < unknown.size(); ++i) {
    // Another call's deadline is not this one's: it is scored again.
    if (RanOutOfTime(scored[i]) && unknown[i]->deadline > first_deadline) continue;
    cache_.Put(unknown[i]->key, scored[i]);
    unknown[i]->scored = std::move(scored[i]);
  }
}

void ScoringLoop::Deliver(std::vector<Waiting> chunk) {
  int again = 0;
  for (auto waiting = chunk.rbegin(); waiting != chunk.rend(); ++waiting) {
    if (waiting->scored.has_value()) continue;
    waiting_.push_front(std::move(*waiting));
    ++again;
  }
  for (Waiting& waiting : chunk) {
    if (waiting.scored.has_value()) waiting.results->TryPush(*std::move(waiting.scored));
  }
  window_scores_ += static_cast<int>(chunk.size()) - again;
  const absl::Duration now = clock_.Monotonic(), window = now - window_begin_;
  absl::MutexLock lock(&mutex_);
  load_.running = 0;
  load_.queued += again;
  if (window < absl::Seconds(1)) return;
  load_.scores_per_second = window_scores_ / absl::ToDoubleSeconds(window);
  window_begin_ = now;
  window_scores_ = 0;
}

}  // namespace trainyard::reward_service
