#include "task/core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trainyard::task {
namespace {

// Metrics that wait while the coordinator is away; then the oldest go.
constexpr size_t kWaitingRows = 1000;

bool IsEpochOver(const absl::Status& status) {
  return absl::IsAborted(status) || absl::IsPermissionDenied(status);
}

}  // namespace

SessionCore::SessionCore(SessionCoreOptions options)
    : options_(std::move(options)),
      backoff_(options_.first_backoff, options_.longest_backoff, options_.random_key),
      highest_term_(options_.term) {}

std::vector<SessionAction> SessionCore::Step(const SessionEvent& event, absl::Duration now) {
  now_ = std::max(now_, now);
  Actions actions;
  std::visit([&](const auto& e) { On(e, &actions); }, event);
  return actions;
}

absl::Duration SessionCore::NextTick() const {
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kEnded:
      return absl::InfiniteDuration();
    case Phase::kWaiting:
      return open_at_;
    case Phase::kOpening:
      return heard_at_ + options_.silence;
    case Phase::kOpen:
      break;
  }
  absl::Duration next = next_heartbeat_;
  if (progress_waits_) next = std::min(next, next_progress_);
  if (!metrics_.empty()) next = std::min(next, next_metrics_);
  return next;
}

void SessionCore::On(const Start&, Actions* actions) {
  if (phase_ == Phase::kIdle) Open(actions);
}

void SessionCore::On(const Tick&, Actions* actions) {
  if (phase_ == Phase::kWaiting && now_ >= open_at_) return Open(actions);
  if (phase_ == Phase::kOpening && now_ >= heard_at_ + options_.silence) {
    return Lose(/*close=*/true, actions);
  }
  if (phase_ != Phase::kOpen) return;
  if (now_ >= heard_at_ + std::max(options_.silence, 3 * heartbeat_)) {
    return Lose(/*close=*/true, actions);
  }
  if (now_ >= next_heartbeat_) {
    SendTo(Heartbeat{++heartbeat_sequence_}, actions);
    next_heartbeat_ = now_ + heartbeat_;
  }
  SendReports(/*all=*/false, actions);
}

void SessionCore::On(const Received& event, Actions* actions) {
  const bool listening = phase_ == Phase::kOpening || phase_ == Phase::kOpen;
  if (!listening || event.stream != stream_) return;
  // Nothing counts before the welcome: it says who speaks.
  if (phase_ == Phase::kOpening && !std::holds_alternative<Welcome>(event.message)) return;
  heard_at_ = now_;
  std::visit([&](const auto& message) { Hear(message, actions); }, event.message);
}

void SessionCore::On(const StreamClosed& event, Actions* actions) {
  const bool ours = (phase_ == Phase::kOpening || phase_ == Phase::kOpen) &&
                    event.stream == stream_;
  if (!ours) return;
  if (IsEpochOver(event.status)) return EpochOver(event.status, actions);
  Lose(/*close=*/false, actions);
}

void SessionCore::On(const LocalReady& event, Actions* actions) {
  ready_ = event.ready;
  ready_waits_ = true;
  if (phase_ == Phase::kOpen) SendReports(/*all=*/false, actions);
}

void SessionCore::On(const LocalProgress& event, Actions* actions) {
  const bool new_phase = !progress_ || progress_->phase != event.progress.phase;
  progress_ = event.progress;
  progress_waits_ = true;
  if (new_phase) next_progress_ = now_;
  if (phase_ == Phase::kOpen) SendReports(/*all=*/false, actions);
}

void SessionCore::On(const LocalMetrics& event, Actions* actions) {
  KeepMetrics(event.metrics);
  if (phase_ == Phase::kOpen) SendReports(/*all=*/false, actions);
}

void SessionCore::On(const LocalStop& event, Actions* actions) {
  if (stop_) return;
  stop_ = event.order;
  actions->push_back(StopChanged{});
}

void SessionCore::On(const LocalEnd& event, Actions* actions) {
  if (end_ || phase_ == Phase::kEnded) return;
  end_ = event.reason;
  if (phase_ != Phase::kOpen) return;
  SendReports(/*all=*/true, actions);
  SendTo(*end_, actions);
}

void SessionCore::Hear(const Welcome& message, Actions* actions) {
  if (!AcceptTerm(message.term, actions)) return;
  const bool again = phase_ == Phase::kOpen;
  phase_ = Phase::kOpen;
  backoff_.Reset();
  heartbeat_ = std::max(message.heartbeat, absl::Milliseconds(10));
  next_heartbeat_ = now_ + heartbeat_;
  if (again) return;
  // The level, for a coordinator that knows nothing of what was said before.
  progress_waits_ = progress_.has_value();
  SendReports(/*all=*/true, actions);
  if (end_) SendTo(*end_, actions);
}

void SessionCore::Hear(const PeerSnapshot& message, Actions* actions) {
  peers_ = message;
  actions->push_back(PeersChanged{});
}

void SessionCore::Hear(const StopOrder& message, Actions* actions) {
  On(LocalStop{message}, actions);
}

void SessionCore::Hear(const HeartbeatAck& message, Actions* actions) {
  AcceptTerm(message.term, actions);
}

void SessionCore::Hear(const EndAck&, Actions* actions) {
  if (!end_) return;
  phase_ = Phase::kEnded;
  actions->push_back(CloseStream{stream_});
  actions->push_back(SessionEnded{absl::OkStatus()});
}

void SessionCore::Open(Actions* actions) {
  phase_ = Phase::kOpening;
  heard_at_ = now_;
  actions->push_back(OpenStream{++stream_});
  Hello hello;
  hello.job_id = options_.job_id;
  hello.epoch = options_.epoch;
  hello.task_uid = options_.task_uid;
  hello.secret = options_.secret;
  hello.highest_term = highest_term_;
  hello.ready = ready_.has_value();
  ready_waits_ = false;
  if (ready_) {
    hello.endpoint = ready_->endpoint;
    hello.numerics_id = ready_->numerics_id;
  }
  SendTo(std::move(hello), actions);
}

void SessionCore::Lose(bool close, Actions* actions) {
  if (close) actions->push_back(CloseStream{stream_});
  phase_ = Phase::kWaiting;
  open_at_ = now_ + backoff_.Next();
}

void SessionCore::EpochOver(const absl::Status& status, Actions* actions) {
  phase_ = Phase::kEnded;
  if (end_) {
    actions->push_back(SessionEnded{absl::AbortedError(status.message())});
    return;
  }
  EndReason reason;
  reason.end_class = EndClass::kDrained;
  reason.message = absl::StrCat("epoch ", options_.epoch, " of job ", options_.job_id,
                                " is over: ", status.message());
  if (progress_) {
    reason.step = progress_->step;
    reason.phase = progress_->phase;
  }
  actions->push_back(AbortProcess{std::move(reason)});
}

bool SessionCore::AcceptTerm(uint64_t term, Actions* actions) {
  if (term < highest_term_) {
    Lose(/*close=*/true, actions);
    return false;
  }
  highest_term_ = term;
  return true;
}

void SessionCore::KeepMetrics(const StepMetrics& row) {
  if (!metrics_.empty() && metrics_.back().step == row.step) {
    for (const auto& [name, value] : row.values) metrics_.back().values[name] = value;
    return;
  }
  if (!metrics_.empty() && metrics_.back().step > row.step) return;
  const auto overtaken = [&row](const StepMetrics& waiting) {
    return std::all_of(waiting.values.begin(), waiting.values.end(),
                       [&row](const auto& entry) { return row.values.contains(entry.first); });
  };
  metrics_.erase(std::remove_if(metrics_.begin(), metrics_.end(), overtaken), metrics_.end());
  metrics_.push_back(row);
  if (metrics_.size() > kWaitingRows) metrics_.pop_front();
}

void SessionCore::SendReports(bool all, Actions* actions) {
  if (std::exchange(ready_waits_, false)) SendTo(*ready_, actions);
  if (progress_waits_ && (all || now_ >= next_progress_)) {
    SendTo(*progress_, actions);
    progress_waits_ = false;
    next_progress_ = now_ + options_.report_interval;
  }
  if (!metrics_.empty() && (all || now_ >= next_metrics_)) {
    for (StepMetrics& row : metrics_) SendTo(std::move(row), actions);
    metrics_.clear();
    next_metrics_ = now_ + options_.report_interval;
  }
}

void SessionCore::SendTo(TaskSays message, Actions* actions) {
  actions->push_back(Say{stream_, std::move(message)});
}

}  // namespace trainyard::task
