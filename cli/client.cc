#include "cli/client.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "rpc/status.h"

namespace trainyard::cli {
namespace {

using v1::ClusterService;
using v1::JobService;

constexpr int kRetries = 100;  // the time is the limit
// A stream lives as long as its job; gRPC's keepalive notices a dead peer.
constexpr absl::Duration kStreamLimit = absl::Hours(24 * 30);
constexpr absl::Duration kReconnect = absl::Seconds(60);

bool IsGone(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsOutOfRange(status);
}

// What to do when there is nobody at the address, unless the status says it better.
absl::Status WithRemedy(const absl::Status& status) {
  if (!absl::IsUnavailable(status) || rpc::DetailOf(status).has_value()) return status;
  return rpc::WithDetail(status, {.reason = "NO_COORDINATOR",
                                  .remedy = "start a cluster (trainyard up), or name one "
                                            "(--coordinator ADDR)"});
}

// Every method asked here is idempotent.
template <typename Stub, typename Method, typename Request>
auto Ask(Stub& stub, Method method, const Request& request, absl::Duration patience) {
  auto answer = rpc::Call(stub, method, request, {.timeout = patience, .retries = kRetries});
  return answer.ok() ? answer : decltype(answer)(WithRemedy(answer.status()));
}

}  // namespace

Client::Client(const std::string& address, absl::Duration patience)
    : address_(address), patience_(patience) {
  const auto channel = rpc::OpenChannel(address);
  jobs_ = JobService::NewStub(channel);
  cluster_ = ClusterService::NewStub(channel);
}

absl::StatusOr<v1::Job> Client::Submit(const v1::JobSpec& spec, bool validate_only) {
  v1::SubmitJobRequest request;
  request.set_request_id(RandomId("submit"));
  request.set_validate_only(validate_only);
  *request.mutable_spec() = spec;
  return Ask(*jobs_, &JobService::Stub::SubmitJob, request, patience_);
}

absl::StatusOr<v1::Pipeline> Client::Submit(const v1::PipelineSpec& spec, bool validate_only) {
  v1::SubmitPipelineRequest request;
  request.set_request_id(RandomId("submit"));
  request.set_validate_only(validate_only);
  *request.mutable_spec() = spec;
  return Ask(*jobs_, &JobService::Stub::SubmitPipeline, request, patience_);
}

absl::StatusOr<v1::Job> Client::GetJob(const std::string& job, bool explain) {
  v1::GetJobRequest request;
  request.set_job(job);
  request.set_explain(explain);
  return Ask(*jobs_, &JobService::Stub::GetJob, request, patience_);
}

absl::StatusOr<v1::Pipeline> Client::GetPipeline(const std::string& pipeline) {
  v1::GetPipelineRequest request;
  request.set_pipeline(pipeline);
  return Ask(*jobs_, &JobService::Stub::GetPipeline, request, patience_);
}

absl::StatusOr<Target> Client::Find(const std::string& name) {
  if (!absl::StartsWith(name, "pipeline-")) {
    auto job = GetJob(name);
    if (job.ok()) return Target(*std::move(job));
    if (!absl::IsNotFound(job.status())) return job.status();
  }
  auto pipeline = GetPipeline(name);
  if (pipeline.ok()) return Target(*std::move(pipeline));
  if (!absl::IsNotFound(pipeline.status())) return pipeline.status();
  return rpc::WithDetail(
      absl::NotFoundError(absl::StrCat("there is no job or pipeline \"", name, "\"")),
      {.reason = "NO_SUCH_JOB", .remedy = "trainyard list shows what there is"});
}

absl::StatusOr<v1::ListJobsResponse> Client::ListJobs(const v1::ListJobsRequest& request) {
  return Ask(*jobs_, &JobService::Stub::ListJobs, request, patience_);
}

absl::StatusOr<v1::ListEventsResponse> Client::ListEvents(const v1::ListEventsRequest& request) {
  return Ask(*jobs_, &JobService::Stub::ListEvents, request, patience_);
}

absl::StatusOr<v1::GetMetricsResponse> Client::GetMetrics(const v1::GetMetricsRequest& request) {
  return Ask(*jobs_, &JobService::Stub::GetMetrics, request, patience_);
}

absl::StatusOr<v1::ListNodesResponse> Client::ListNodes() {
  return Ask(*cluster_, &ClusterService::Stub::ListNodes, v1::ListNodesRequest(), patience_);
}

absl::StatusOr<v1::ClusterStatus> Client::Status() {
  return Ask(*cluster_, &ClusterService::Stub::GetClusterStatus, v1::GetClusterStatusRequest(),
             patience_);
}

absl::StatusOr<v1::Job> Client::Cancel(const std::string& job, const std::string& reason) {
  v1::CancelJobRequest request;
  request.set_job(job);
  request.set_reason(reason);
  return Ask(*jobs_, &JobService::Stub::CancelJob, request, patience_);
}

absl::StatusOr<v1::Pipeline> Client::CancelPipeline(const std::string& pipeline,
                                                    const std::string& reason) {
  v1::CancelPipelineRequest request;
  request.set_pipeline(pipeline);
  request.set_reason(reason);
  return Ask(*jobs_, &JobService::Stub::CancelPipeline, request, patience_);
}

absl::StatusOr<v1::Job> Client::Pause(const std::string& job) {
  v1::PauseJobRequest request;
  request.set_job(job);
  return Ask(*jobs_, &JobService::Stub::PauseJob, request, patience_);
}

absl::StatusOr<v1::Job> Client::Resume(const std::string& job) {
  v1::ResumeJobRequest request;
  request.set_job(job);
  return Ask(*jobs_, &JobService::Stub::ResumeJob, request, patience_);
}

absl::StatusOr<v1::Job> Client::Retry(const std::string& job) {
  v1::RetryJobRequest request;
  request.set_job(job);
  return Ask(*jobs_, &JobService::Stub::RetryJob, request, patience_);
}

absl::StatusOr<v1::Pipeline> Client::RetryPipeline(const std::string& pipeline) {
  v1::RetryPipelineRequest request;
  request.set_pipeline(pipeline);
  return Ask(*jobs_, &JobService::Stub::RetryPipeline, request, patience_);
}

absl::StatusOr<v1::Job> Client::Scale(const v1::ScaleJobRequest& request) {
  return Ask(*jobs_, &JobService::Stub::ScaleJob, request, patience_);
}

absl::StatusOr<v1::GetServingResponse> Client::GetServing(const std::string& job) {
  v1::GetServingRequest request;
  request.set_job(job);
  return rpc::Call(*jobs_, &JobService::Stub::GetServing, request, {.timeout = patience_});
}

absl::StatusOr<v1::Node> Client::Cordon(const std::string& node, bool uncordon) {
  v1::CordonNodeRequest request;
  request.set_node(node);
  request.set_uncordon(uncordon);
  return Ask(*cluster_, &ClusterService::Stub::CordonNode, request, patience_);
}

absl::StatusOr<v1::Node> Client::Drain(const std::string& node, absl::Duration deadline) {
  v1::DrainNodeRequest request;
  request.set_node(node);
  request.set_deadline_seconds(absl::ToDoubleSeconds(deadline));
  return Ask(*cluster_, &ClusterService::Stub::DrainNode, request, patience_);
}

absl::Status Client::Watch(const v1::WatchJobsRequest& request, absl::Time until,
                           const std::function<bool(const v1::WatchJobsEvent&)>& on_event) {
  absl::Time lost = absl::InfiniteFuture();
  for (;;) {
    grpc::ClientContext context;
    // A coordinator that comes back within a minute is waited for; the first time, not longer than
    // any other call.
    const bool again = lost != absl::InfiniteFuture();
    rpc::PrepareContext(
        {.timeout = std::min(until - absl::Now(), kStreamLimit), .wait_for_ready = again},
        &context);
    const auto stream = jobs_->WatchJobs(&context, request);
    v1::WatchJobsEvent event;
    bool wanted = true;
    while (wanted && stream->Read(&event)) {
      lost = absl::InfiniteFuture();
      wanted = on_event(event);
    }
    if (!wanted) context.TryCancel();
    const grpc::Status ended = stream->Finish();
    if (!wanted) return absl::OkStatus();
    const absl::Status status = rpc::FromGrpc(ended, context);
    if (!IsGone(status) && !status.ok()) return status;
    const absl::Time now = absl::Now();
    if (lost == absl::InfiniteFuture()) {
      lost = now;
      if (!on_event(v1::WatchJobsEvent())) return absl::OkStatus();
    }
    if (now >= until) return absl::DeadlineExceededError("the time to wait is over");
    if (now - lost > kReconnect) return WithRemedy(status);
  }
}

absl::Status Client::Logs(const v1::GetLogsRequest& request,
                          const std::function<void(const v1::LogChunk&)>& on_chunk) {
  grpc::ClientContext context;
  rpc::PrepareContext({.timeout = kStreamLimit}, &context);
  const auto stream = jobs_->GetLogs(&context, request);
  v1::LogChunk chunk;
  while (stream->Read(&chunk)) on_chunk(chunk);
  const grpc::Status ended = stream->Finish();
  return WithRemedy(rpc::FromGrpc(ended, context));
}

}  // namespace trainyard::cli
