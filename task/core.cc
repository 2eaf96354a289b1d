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
    : options_(std::move(options)), link_(options_.link) {}

std::vector<SessionAction> SessionCore::Step(const SessionEvent& event, absl::Duration now) {
  now_ = std::max(now_, now);
  Actions actions;
  std::visit([&](const auto& e) { On(e, &actions); }, event);
  return actions;
}

absl::Duration SessionCore::NextTick() const {
  absl::Duration next = link_.NextDue();
  if (!link_.open()) return next;
  if (progress_waits_) next = std::min(next, next_progress_);
  if (!metrics_.empty()) next = std::min(next, next_metrics_);
  return next;
}

void SessionCore::On(const Start&, Actions* actions) {
  if (link_.phase() == SessionLink::Phase::kIdle) Open(actions);
}

void SessionCore::On(const Tick&, Actions* actions) {
  switch (link_.DueAt(now_)) {
    case SessionLink::Due::kOpen:
      return Open(actions);
    case SessionLink::Due::kSilent:
      return Lose(/*close=*/true, actions);
    case SessionLink::Due::kHeartbeat:
      SendTo(Heartbeat{link_.NextHeartbeat(now_)}, actions);
      break;
    case SessionLink::Due::kNothing:
      break;
  }
  if (link_.open()) SendReports(/*all=*/false, actions);
}

void SessionCore::On(const Received& event, Actions* actions) {
  const bool welcome = std::holds_alternative<Welcome>(event.message);
  if (!link_.Hear(event.stream, welcome, now_)) return;
  std::visit([&](const auto& message) { Hear(message, actions); }, event.message);
}

void SessionCore::On(const StreamClosed& event, Actions* actions) {
  if (!link_.Uses(event.stream)) return;
  if (IsEpochOver(event.status)) return EpochOver(event.status, actions);
  Lose(/*close=*/false, actions);
}

void SessionCore::On(const LocalReady& event, Actions* actions) {
  ready_ = event.ready;
  ready_waits_ = true;
  if (link_.open()) SendReports(/*all=*/false, actions);
}

void SessionCore::On(const LocalProgress& event, Actions* actions) {
  const bool new_phase = !progress_ || progress_->phase != event.progress.phase;
  progress_ = event.progress;
  progress_waits_ = true;
  if (new_phase) next_progress_ = now_;
  if (link_.open()) SendReports(/*all=*/false, actions);
}

void SessionCore::On(const LocalMetrics& event, Actions* actions) {
  KeepMetrics(event.metrics);
  if (link_.open()) SendReports(/*all=*/false, actions);
}

void SessionCore::On(const LocalStop& event, Actions* actions) {
  if (stop_) return;
  stop_ = event.order;
  actions->push_back(StopChanged{});
}

void SessionCore::On(const LocalEnd& event, Actions* actions) {
  if (end_ || ended()) return;
  end_ = event.reason;
  if (!link_.open()) return;
  SendReports(/*all=*/true, actions);
  SendTo(*end_, actions);
}

void SessionCore::Hear(const Welcome& message, Actions* actions) {
  if (!AcceptTerm(message.term, actions)) return;
  if (!link_.Welcome(message.heartbeat, now_)) return;
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
  link_.End();
  actions->push_back(CloseStream{link_.stream()});
  actions->push_back(SessionEnded{absl::OkStatus()});
}

void SessionCore::Open(Actions* actions) {
  actions->push_back(OpenStream{link_.Open(now_)});
  Hello hello;
  hello.job_id = options_.job_id;
  hello.epoch = options_.epoch;
  hello.task_uid = options_.task_uid;
  hello.secret = options_.secret;
  hello.highest_term = link_.highest_term();
  hello.ready = ready_.has_value();
  ready_waits_ = false;
  if (ready_) {
    hello.endpoint = ready_->endpoint;
    hello.numerics_id = ready_->numerics_id;
  }
  SendTo(std::move(hello), actions);
}

void SessionCore::Lose(bool close, Actions* actions) {
  if (close) actions->push_back(CloseStream{link_.stream()});
  link_.Lose(now_);
}

void SessionCore::EpochOver(const absl::Status& status, Actions* actions) {
  link_.End();
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
  if (link_.AcceptTerm(term)) return true;
  Lose(/*close=*/true, actions);
  return false;
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
  actions->push_back(Say{link_.stream(), std::move(message)});
}

}  // namespace trainyard::task
