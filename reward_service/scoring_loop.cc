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
// Items of one call that are scored before their results leave. Large enough for full batches.
constexpr size_t kChunkItems = 256;

}  // namespace

ScoringLoop::ScoringLoop(const Clock& clock)
    : clock_(clock), calls_(kMostCalls), window_begin_(clock.Monotonic()) {}

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
  while (!stopping_.load()) {
    std::optional<Call> call = calls_.Pop(absl::Seconds(1));
    if (call.has_value()) {
      ScoreCall(*reward_, *std::move(call));
    } else if (calls_.closed()) {
      return;
    }
  }
}

void ScoringLoop::ScoreCall(Reward& reward, Call call) {
  const absl::Span<const ScoreItem> items(call.items);
  for (size_t begin = 0; begin < items.size(); begin += kChunkItems) {
    const auto chunk = items.subspan(begin, kChunkItems);
    const int count = static_cast<int>(chunk.size());
    const bool wanted = !call.results->closed() && !stopping_.load();
    {
      absl::MutexLock lock(&mutex_);
      load_.queued -= count;
      load_.running = wanted ? count : 0;
    }
    if (!wanted) continue;
    for (ScoredItem& scored : reward.Score(chunk, call.deadline)) {
      call.results->TryPush(std::move(scored));
    }
    window_scores_ += count;
    const absl::Duration now = clock_.Monotonic(), window = now - window_begin_;
    absl::MutexLock lock(&mutex_);
    load_.running = 0;
    if (window < absl::Seconds(1)) continue;
    load_.scores_per_second = window_scores_ / absl::ToDoubleSeconds(window);
    window_begin_ = now;
    window_scores_ = 0;
  }
}

}  // namespace trainyard::reward_service
