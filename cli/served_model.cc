#include "cli/served_model.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "cli/text.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"

namespace trainyard::cli {
namespace {

constexpr absl::Duration kStartLimit = absl::Minutes(10);
constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr absl::Duration kAnswerLimit = absl::Minutes(10);
// A task that does not answer is asked again for so long.
constexpr absl::Duration kReachLimit = absl::Seconds(3);

// What a person who waits wants to know of the job.
std::string StateOf(const v1::Job& job) {
  return absl::StrCat(Name(job.state()), job.reason().empty() ? "" : ": ", job.reason());
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServedModel>> ServedModel::Start(Client& client,
                                                                const v1::FileRef& model) {
  v1::JobSpec spec;
  *spec.mutable_generate()->mutable_model() = model;
  spec.mutable_generate()->set_serve(true);
  TY_ASSIGN_OR_RETURN(const v1::Job job, client.Submit(spec, false));
  std::cerr << "job " << job.id() << " (" << job.spec().name() << ") serves the model\n";
  std::unique_ptr<ServedModel> served(new ServedModel(client, job.id()));
  TY_RETURN_IF_ERROR(served->WaitUntilServed([] { return WaitForStopSignal(kLook) != 0; }));
  return served;
}

ServedModel::~ServedModel() {
  const auto cancelled = client_.Cancel(job_, "the chat is over");
  // One that has ended by itself can not be cancelled, and needs not be.
  if (cancelled.ok() || absl::IsFailedPrecondition(cancelled.status())) return;
  std::cerr << "trainyard: job " << job_
            << " could not be cancelled: " << cancelled.status().message()
            << "\nwhat to do: nothing (it ends when nobody calls it), or trainyard cancel " << job_
            << "\n";
}

absl::Status ServedModel::WaitUntilServed(const std::function<bool()>& is_over) {
  const absl::Duration deadline = Clock::Real().Monotonic() + kStartLimit;
  std::string told;
  while (true) {
    auto serving = client_.GetServing(job_);
    if (serving.ok()) {
      serving_ = *std::move(serving);
      return absl::OkStatus();
    }
    const auto job = client_.GetJob(job_);
    if (job.ok() && IsTerminal(job->state())) {
      return absl::FailedPreconditionError(absl::StrCat("job ", job_, " ", Name(job->state()), ": ",
                                                        EndText(job->end()), " (trainyard logs ",
                                                        job_, ")"));
    }
    if (!absl::IsUnavailable(serving.status())) return serving.status();
    if (job.ok() && told != StateOf(*job)) {
      told = StateOf(*job);
      std::cerr << told << "\n";
    }
    if (is_over()) return absl::CancelledError("interrupted");
    if (Clock::Real().Monotonic() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("job ", job_, " did not serve within ",
                                                      absl::FormatDuration(kStartLimit), ": ",
                                                      serving.status().message()));
    }
  }
}

absl::StatusOr<v1::Trajectory> ServedModel::Generate(
    const v1::GenerateRequest& request,
    const std::function<void(const v1::TokenDelta&)>& on_delta) {
  {
    absl::MutexLock lock(&mutex_);
    interrupted_ = false;
  }
  bool begun = false;
  const auto note = [&](const v1::TokenDelta& delta) {
    begun = true;
    on_delta(delta);
  };
  const absl::Duration give_up = Clock::Real().Monotonic() + kReachLimit;
  for (int attempt = 0;; ++attempt) {
    const std::string endpoint = serving_.endpoints(attempt % serving_.endpoints_size());
    auto drawn = Draw(request, endpoint, note);
    const bool lost = absl::IsUnavailable(drawn.status()) || absl::IsAborted(drawn.status());
    if (drawn.ok() || !lost) return drawn;
    if (begun) {
      return absl::UnavailableError(absl::StrCat("the rollout task at ", endpoint,
                                                 " was lost while it answered (",
                                                 drawn.status().message(), "); ask again"));
    }
    if (Clock::Real().Monotonic() > give_up) {
      return absl::UnavailableError(absl::StrCat(
          "the rollout task at ", endpoint, " can not be reached from here (",
          drawn.status().message(),
          "); run the chat on a machine that reaches the nodes, or look at the job: trainyard "
          "describe ",
          job_));
    }
    // A task that died is replaced, under another epoch perhaps.
    if (IsInterrupted()) return absl::CancelledError("interrupted");
    TY_RETURN_IF_ERROR(WaitUntilServed([this] { return IsInterrupted(); }));
  }
}

bool ServedModel::IsInterrupted() {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&interrupted_), kLook);
}

absl::StatusOr<v1::Trajectory> ServedModel::Draw(
    const v1::GenerateRequest& request, const std::string& endpoint,
    const std::function<void(const v1::TokenDelta&)>& on_delta) {
  grpc::ClientContext context;
  rpc::PrepareContext(
      {.timeout = kAnswerLimit,
       .fence = rpc::JobFence{serving_.job_id(), serving_.epoch(), serving_.secret()}},
      &context);
  {
    absl::MutexLock lock(&mutex_);
    if (interrupted_) return absl::CancelledError("interrupted");
    call_ = &context;
  }
  const auto stub = v1::RolloutService::NewStub(rpc::OpenChannel(endpoint));
  const auto stream = stub->Generate(&context, request);
  v1::GenerateResponse response;
  v1::Trajectory trajectory;
  bool whole = false;
  while (stream->Read(&response)) {
    if (response.has_delta()) on_delta(response.delta());
    if (!response.has_trajectory()) continue;
    trajectory = response.trajectory();
    whole = true;
  }
  const grpc::Status ended = stream->Finish();
  {
    absl::MutexLock lock(&mutex_);
    call_ = nullptr;
    if (interrupted_) return absl::CancelledError("interrupted");
  }
  TY_RETURN_IF_ERROR(rpc::FromGrpc(ended, context));
  if (whole && trajectory.finish() != v1::FINISH_ABORTED) return trajectory;
  return absl::UnavailableError("the stream ended without an answer");
}

void ServedModel::Interrupt() {
  absl::MutexLock lock(&mutex_);
  interrupted_ = true;
  if (call_ != nullptr) call_->TryCancel();
}

}  // namespace trainyard::cli
