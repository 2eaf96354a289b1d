#include "rollout/engine_loop.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/status.h"

namespace trainyard::rollout {
namespace {

constexpr size_t kMostCommands = 1024;
constexpr absl::Duration kIdleWait = absl::Milliseconds(200);
constexpr absl::Duration kRateWindow = absl::Seconds(1);

}  // namespace

EngineLoop::EngineLoop(std::unique_ptr<Engine> engine, const Clock& clock)
    : clock_(clock),
      commands_(kMostCommands),
      engine_(std::move(engine)),
      window_begin_(clock.Monotonic()) {
  Publish(0);
  thread_ = std::thread([this] { Run(); });
}

EngineLoop::~EngineLoop() {
  commands_.Close();
  thread_.join();
}

absl::Status EngineLoop::Execute(std::function<absl::Status()> command, absl::Duration timeout) {
  struct Reply {
    absl::Notification done;
    absl::Status status;
  };
  auto reply = std::make_shared<Reply>();
  const bool taken = commands_.TryPush([this, reply, command = std::move(command)] {
    reply->status = command();
    // Published first: who has the answer finds what it did in the state.
    Publish(0);
    reply->done.Notify();
  });
  if (!taken) {
    return commands_.closed()
               ? absl::UnavailableError("the engine is shutting down")
               : absl::ResourceExhaustedError(absl::StrCat(
                     kMostCommands, " commands wait for the engine; try again later"));
  }
  if (!reply->done.WaitForNotificationWithTimeout(timeout)) {
    return absl::DeadlineExceededError(
        absl::StrCat("the engine did not answer within ", absl::FormatDuration(timeout)));
  }
  return reply->status;
}

absl::Status EngineLoop::CheckServing(int64_t version) const {
  if (draining_) {
    return absl::UnavailableError("this server drains and takes no more work; ask another");
  }
  if (version >= 0 && version != engine_->model().version) {
    return absl::FailedPreconditionError(
        absl::StrCat("policy version ", version, " was asked for, version ",
                     engine_->model().version, " serves"));
  }
  return absl::OkStatus();
}

template <typename Request>
absl::StatusOr<std::vector<uint64_t>> EngineLoop::Admit(Admission<Request> admission) {
  const absl::Duration timeout = admission.timeout;
  auto tickets = std::make_shared<std::vector<uint64_t>>();
  auto shared = std::make_shared<Admission<Request>>(std::move(admission));
  const absl::Duration deadline = clock_.Monotonic() + timeout;
  TY_RETURN_IF_ERROR(Execute(
      [this, shared, tickets, deadline]() -> absl::Status {
        TY_RETURN_IF_ERROR(CheckServing(shared->version));
        for (Request& request : shared->requests) {
          const uint64_t ticket = ++last_ticket_;
          Route route = shared->route;
          route.left = shared->results(request);
          request.ticket = ticket;
          request.deadline = deadline;
          const absl::Status added = engine_->Add(std::move(request));
          if (!added.ok()) {
            Drop(*tickets);
            return added;
          }
          routes_[ticket] = std::move(route);
          tickets->push_back(ticket);
        }
        return absl::OkStatus();
      },
      timeout));
  return *tickets;
}

absl::StatusOr<std::vector<uint64_t>> EngineLoop::Generate(GenerateCall call) {
  return Admit<GenerateRequest>({.requests = std::move(call.requests),
                                 .version = call.version,
                                 .timeout = call.timeout,
                                 .route = {.deliveries = std::move(call.deliveries)},
                                 .results = [](const GenerateRequest& r) { return r.n; }});
}

absl::StatusOr<std::vector<ScoreResult>> EngineLoop::Score(ScoreCall call) {
  const size_t count = call.requests.size();
  const absl::Duration deadline = clock_.Monotonic() + call.timeout;
  const auto results = std::make_shared<BoundedQueue<ScoreResult>>(count);
  TY_ASSIGN_OR_RETURN(const std::vector<uint64_t> tickets,
                      Admit<ScoreRequest>({.requests = std::move(call.requests),
                                           .version = call.version,
                                           .timeout = call.timeout,
                                           .route = {.scores = results},
                                           .results = [](const ScoreRequest&) { return 1; }}));
  std::map<uint64_t, ScoreResult> by_ticket;
  while (by_ticket.size() < count) {
    std::optional<ScoreResult> result = results->Pop(deadline - clock_.Monotonic());
    if (!result.has_value()) {
      Cancel(tickets);
      return absl::DeadlineExceededError(absl::StrCat(by_ticket.size(), " of ", count,
                                                      " sequences were scored in time"));
    }
    if (!result->status.ok()) {
      Cancel(tickets);
      return result->status;
    }
    by_ticket[result->ticket] = *std::move(result);
  }
  std::vector<ScoreResult> ordered;
  for (uint64_t ticket : tickets) ordered.push_back(std::move(by_ticket[ticket]));
  return ordered;
}

void EngineLoop::Drop(const std::vector<uint64_t>& tickets) {
  for (uint64_t ticket : tickets) {
    engine_->Cancel(ticket);
    routes_.erase(ticket);
  }
}

void EngineLoop::Cancel(std::vector<uint64_t> tickets) {
  // Must not be refused by a full queue: what is cancelled holds memory.
  commands_.Push([this, tickets = std::move(tickets)] { Drop(tickets); }, absl::Seconds(60));
}

absl::Status EngineLoop::Swap(std::shared_ptr<const PackedModel> model, absl::Duration timeout) {
  return Execute([this, model = std::move(model)] { return engine_->Swap(model); }, timeout);
}

absl::StatusOr<int> EngineLoop::Drain(absl::Duration timeout) {
  TY_RETURN_IF_ERROR(Execute(
      [this] {
        draining_ = true;
        return absl::OkStatus();
      },
      absl::Seconds(60)));
  {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &EngineLoop::IdleState), timeout);
  }
  auto aborted = std::make_shared<int>(0);
  TY_RETURN_IF_ERROR(Execute(
      [this, aborted] {
        *aborted = engine_->AbortAll(absl::UnavailableError("this server was drained"));
        return absl::OkStatus();
      },
      absl::Seconds(60)));
  return *aborted;
}

ServingState EngineLoop::state() const {
  absl::MutexLock lock(&mutex_);
  return state_;
}

void EngineLoop::Run() {
  while (true) {
    if (engine_->idle()) {
      if (auto command = commands_.Pop(kIdleWait); command.has_value()) (*command)();
    }
    for (auto& command : commands_.PopAll()) command();
    if (commands_.closed() && commands_.size() == 0) break;
    const bool was_idle = engine_->idle();
    StepResult result;
    if (!was_idle) result = engine_->Step(clock_.Monotonic());
    const int new_tokens = result.new_tokens;
    // Published first: who has seen a sample finish finds its blocks free.
    Publish(new_tokens);
    Deliver(std::move(result));
  }
  engine_->AbortAll(absl::CancelledError("the server is shutting down"));
  Deliver(engine_->Step(clock_.Monotonic()));
}

void EngineLoop::DeliverDelta(TokenDelta delta) {
  const auto route = routes_.find(delta.ticket);
  if (route == routes_.end()) return;
  std::map<int32_t, TokenDelta>& unsent = route->second.unsent;
  const auto [waiting, first] = unsent.try_emplace(delta.sample, delta);
  if (!first) {
    std::vector<int32_t>& ids = waiting->second.token_ids;
    ids.insert(ids.end(), delta.token_ids.begin(), delta.token_ids.end());
  }
  Deliveries& deliveries = *route->second.deliveries;
  while (!unsent.empty() && deliveries.size() < kMostDeltas) {
    if (!deliveries.TryPush({std::move(unsent.begin()->second), nullptr})) break;
    unsent.erase(unsent.begin());
  }
}

void EngineLoop::Deliver(StepResult result) {
  for (TokenDelta& delta : result.deltas) DeliverDelta(std::move(delta));
  for (Completion& completion : result.completions) {
    const auto route = routes_.find(completion.ticket);
    if (route == routes_.end()) continue;
    route->second.unsent.erase(completion.sample);
    Delivery delivery = {{}, std::make_unique<Completion>(std::move(completion))};
    TY_CHECK(route->second.deliveries->TryPush(std::move(delivery)) ||
             route->second.deliveries->closed());
    if (--route->second.left == 0) routes_.erase(route);
  }
  for (ScoreResult& score : result.scores) {
    const auto route = routes_.find(score.ticket);
    if (route == routes_.end()) continue;
    TY_CHECK(route->second.scores->TryPush(std::move(score)));
    routes_.erase(route);
  }
}

void EngineLoop::Publish(int new_tokens) {
  const absl::Duration now = clock_.Monotonic();
  window_tokens_ += new_tokens;
  if (now - window_begin_ >= kRateWindow) {
    tokens_per_second_ =
        static_cast<double>(window_tokens_) / absl::ToDoubleSeconds(now - window_begin_);
    window_begin_ = now;
    window_tokens_ = 0;
  }
  ServingState state;
  state.version = engine_->model().version;
  state.digest = engine_->model().digest;
  state.load = engine_->Load();
  state.tokens_per_second = tokens_per_second_;
  state.draining = draining_;
  absl::MutexLock lock(&mutex_);
  state_ = std::move(state);
}

}  // namespace trainyard::rollout
