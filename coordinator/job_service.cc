#include "coordinator/job_service.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/job_filter.h"
#include "coordinator/log_stream.h"
#include "coordinator/submission.h"
#include "coordinator/watch_stream.h"
#include "coordinator/wire.h"
#include "rpc/status.h"

namespace trainyard::coordinator {
namespace {

constexpr int kDefaultPage = 50;
constexpr int kLargestPage = 500;
constexpr int kDefaultPoints = 10000;

int PageSize(int asked) { return asked <= 0 ? kDefaultPage : std::min(asked, kLargestPage); }

// What a reply about a job shows: the board has the attempt and the progress besides.
void AnswerJob(const ServiceParts& parts, const Reply& reply, v1::Job* response) {
  const auto& record = std::get<JobRecord>(reply.value);
  const auto view = parts.board.Find(record.id);
  *response = view.has_value() ? ToWire(*view) : ToWire(record);
}

void AnswerPipeline(const ServiceParts& parts, const Reply& reply, v1::Pipeline* response) {
  const auto& record = std::get<PipelineRecord>(reply.value);
  *response = ToWire(record);
  for (const std::string& id : record.job_ids) {
    const auto view = parts.board.Find(id);
    if (view.has_value()) *response->add_jobs() = ToWire(*view);
  }
}

// A job or a pipeline.
template <typename Request>
grpc::ServerUnaryReactor* Submit(const ServiceParts& parts, grpc::CallbackServerContext* context,
                                 const Request& request,
                                 std::function<void(const Reply&)> answer) {
  auto event = MakeSubmission(request);
  if (!event.ok()) return RefuseCall(context, event.status());
  return DecideCall(
      parts, context,
      [&](CallId call) {
        event->call = call;
        return *std::move(event);
      },
      std::move(answer));
}

// Asks the core why the job waits, and adds the answer to its reason.
grpc::ServerUnaryReactor* Explain(const ServiceParts& parts, grpc::CallbackServerContext* context,
                                  const std::string& job, v1::Job* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto ask = [parts, context, reactor, job, response] {
    auto found = ReadJob(parts, job);
    if (!found.ok()) return Finish(context, reactor, found.status());
    *response = *std::move(found);
    const bool asked = parts.loop.Query([=](const Core& core, absl::Time) {
      return [=, explanation = core.Explain(response->id())] {
        if (explanation.ok() && !explanation->message.empty()) {
          response->set_reason(absl::StrCat(
              explanation->message, explanation->remedy.empty() ? "" : "; ", explanation->remedy));
        }
        Finish(context, reactor, explanation.status());
      };
    });
    if (!asked) Finish(context, reactor, Overloaded());
  };
  if (!parts.reads.Post(std::move(ask))) Finish(context, reactor, Overloaded());
  return reactor;
}

// Where the live job is served. Callers are whoever may cancel it.
absl::StatusOr<v1::GetServingResponse> ServingOf(const ServiceParts& parts,
                                                 const std::string& job) {
  TY_ASSIGN_OR_RETURN(const JobRecord record, FindJob(parts, job));
  v1::JobSpec spec;
  spec.ParseFromString(*record.spec);
  if (!spec.generate().serve()) {
    return rpc::WithDetail(
        absl::FailedPreconditionError(absl::StrCat("job ", record.id, " is not served")),
        {.reason = "NOT_SERVED", .remedy = "submit a generate job with serve: true"});
  }
  const auto view = parts.board.Find(record.id);
  if (!view.has_value() || view->job.finished || view->job.desired == DesiredState::kCancel) {
    return rpc::WithDetail(
        absl::FailedPreconditionError(absl::StrCat("job ", record.id, " is over")),
        {.reason = "NOT_SERVED", .remedy = "trainyard describe says why; submit another"});
  }
  if (view->job.desired == DesiredState::kPause) {
    return rpc::WithDetail(
        absl::FailedPreconditionError(absl::StrCat("job ", record.id, " is paused")),
        {.reason = "NOT_SERVED", .remedy = "trainyard resume lets it go on"});
  }
  v1::GetServingResponse serving;
  for (const auto& [uid, task] : view->tasks) {
    const bool ready = task.state == TaskState::kReady || task.state == TaskState::kRunning;
    if (task.role == "rollout" && ready && !task.stop && !task.endpoint.empty()) {
      serving.add_endpoints(task.endpoint);
    }
  }
  if (serving.endpoints().empty()) {
    return absl::UnavailableError(
        absl::StrCat("no rollout task of job ", record.id, " is ready yet",
                     view->job.reason.empty() ? "" : ": ", view->job.reason));
  }
  serving.set_job_id(record.id);
  serving.set_epoch(view->job.epoch);
  serving.set_secret(view->job.secret);
  return serving;
}

}  // namespace

grpc::ServerUnaryReactor* JobService::SubmitJob(grpc::CallbackServerContext* context,
                                                const v1::SubmitJobRequest* request,
                                                v1::Job* response) {
  return Submit(parts_, context, *request, [this, response](const Reply& reply) {
    AnswerJob(parts_, reply, response);
  });
}

grpc::ServerUnaryReactor* JobService::SubmitPipeline(grpc::CallbackServerContext* context,
                                                     const v1::SubmitPipelineRequest* request,
                                                     v1::Pipeline* response) {
  return Submit(parts_, context, *request, [this, response](const Reply& reply) {
    AnswerPipeline(parts_, reply, response);
  });
}

grpc::ServerUnaryReactor* JobService::GetJob(grpc::CallbackServerContext* context,
                                             const v1::GetJobRequest* request, v1::Job* response) {
  if (request->explain()) return Explain(parts_, context, request->job(), response);
  return ReadCall(parts_, context, [this, request, response]() -> absl::Status {
    TY_ASSIGN_OR_RETURN(*response, ReadJob(parts_, request->job()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* JobService::GetPipeline(grpc::CallbackServerContext* context,
                                                  const v1::GetPipelineRequest* request,
                                                  v1::Pipeline* response) {
  return ReadCall(parts_, context, [this, request, response]() -> absl::Status {
    TY_ASSIGN_OR_RETURN(const auto record, FindPipeline(parts_, request->pipeline()));
    *response = ToWire(record);
    for (const std::string& id : record.job_ids) {
      TY_ASSIGN_OR_RETURN(*response->add_jobs(), ReadJob(parts_, id));
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* JobService::ListJobs(grpc::CallbackServerContext* context,
                                               const v1::ListJobsRequest* request,
                                               v1::ListJobsResponse* response) {
  return ReadCall(parts_, context, [this, request, response]() -> absl::Status {
    TY_ASSIGN_OR_RETURN(const JobFilter filter, ParseJobFilter(request->filter()));
    TY_ASSIGN_OR_RETURN(
        const JobPage page,
        parts_.store.ListJobs(filter, {PageSize(request->page_size()), request->page_token()}));
    for (const JobRecord& record : page.jobs) {
      const auto view = parts_.board.Find(record.id);
      *response->add_jobs() = view.has_value() ? ToWire(*view) : ToWire(record);
    }
    response->set_next_page_token(page.next);
    response->set_revision(page.revision);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::WatchJobsEvent>* JobService::WatchJobs(
    grpc::CallbackServerContext* context, const v1::WatchJobsRequest* request) {
  return StartWatch(parts_, context, *request);
}

grpc::ServerWriteReactor<v1::LogChunk>* JobService::GetLogs(grpc::CallbackServerContext* context,
                                                            const v1::GetLogsRequest* request) {
  return StartLogs(parts_, context, *request);
}

grpc::ServerUnaryReactor* JobService::GetMetrics(grpc::CallbackServerContext* context,
                                                 const v1::GetMetricsRequest* request,
                                                 v1::GetMetricsResponse* response) {
  return ReadCall(parts_, context, [this, request, response]() -> absl::Status {
    TY_ASSIGN_OR_RETURN(const JobRecord job, FindJob(parts_, request->job()));
    const int most = request->max_points() > 0 ? request->max_points() : kDefaultPoints;
    TY_ASSIGN_OR_RETURN(const auto points,
                        parts_.metrics.Read(job.id, request->from_step(), most));
    for (const MetricPoint& point : points) {
      v1::MetricPoint* added = response->add_points();
      added->set_step(point.step);
      added->set_time_us(ToMicros(point.time));
      added->mutable_values()->insert(point.values.begin(), point.values.end());
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* JobService::ListEvents(grpc::CallbackServerContext* context,
                                                 const v1::ListEventsRequest* request,
                                                 v1::ListEventsResponse* response) {
  return ReadCall(parts_, context, [this, request, response]() -> absl::Status {
    std::string job;
    if (!request->job().empty()) {
      TY_ASSIGN_OR_RETURN(const JobRecord record, FindJob(parts_, request->job()));
      job = record.id;
    }
    TY_ASSIGN_OR_RETURN(
        const EventPage page,
        parts_.store.EventsSince(request->after_revision(), job, PageSize(request->page_size())));
    for (const EventRow& event : page.events) *response->add_events() = ToWire(event);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* JobService::Change(grpc::CallbackServerContext* context,
                                             const ChangeJob& change, v1::Job* response) {
  return DecideCall(
      parts_, context,
      [&](CallId call) {
        ChangeJob event = change;
        event.call = call;
        event.principal = kPrincipal;
        return event;
      },
      [this, response](const Reply& reply) { AnswerJob(parts_, reply, response); });
}

grpc::ServerUnaryReactor* JobService::Change(grpc::CallbackServerContext* context,
                                             const ChangePipeline& change, v1::Pipeline* response) {
  return DecideCall(
      parts_, context,
      [&](CallId call) {
        ChangePipeline event = change;
        event.call = call;
        event.principal = kPrincipal;
        return event;
      },
      [this, response](const Reply& reply) { AnswerPipeline(parts_, reply, response); });
}

grpc::ServerUnaryReactor* JobService::CancelJob(grpc::CallbackServerContext* context,
                                                const v1::CancelJobRequest* request,
                                                v1::Job* response) {
  return Change(
      context,
      ChangeJob{.verb = JobVerb::kCancel, .job = request->job(), .reason = request->reason()},
      response);
}

grpc::ServerUnaryReactor* JobService::PauseJob(grpc::CallbackServerContext* context,
                                               const v1::PauseJobRequest* request,
                                               v1::Job* response) {
  return Change(context, ChangeJob{.verb = JobVerb::kPause, .job = request->job()}, response);
}

grpc::ServerUnaryReactor* JobService::ResumeJob(grpc::CallbackServerContext* context,
                                                const v1::ResumeJobRequest* request,
                                                v1::Job* response) {
  return Change(context, ChangeJob{.verb = JobVerb::kResume, .job = request->job()}, response);
}

grpc::ServerUnaryReactor* JobService::RetryJob(grpc::CallbackServerContext* context,
                                               const v1::RetryJobRequest* request,
                                               v1::Job* response) {
  return Change(context, ChangeJob{.verb = JobVerb::kRetry, .job = request->job()}, response);
}

grpc::ServerUnaryReactor* JobService::CancelPipeline(grpc::CallbackServerContext* context,
                                                     const v1::CancelPipelineRequest* request,
                                                     v1::Pipeline* response) {
  return Change(
      context,
      ChangePipeline{
          .verb = JobVerb::kCancel, .pipeline = request->pipeline(), .reason = request->reason()},
      response);
}

grpc::ServerUnaryReactor* JobService::RetryPipeline(grpc::CallbackServerContext* context,
                                                    const v1::RetryPipelineRequest* request,
                                                    v1::Pipeline* response) {
  return Change(context, ChangePipeline{.verb = JobVerb::kRetry, .pipeline = request->pipeline()},
                response);
}

grpc::ServerUnaryReactor* JobService::ScaleJob(grpc::CallbackServerContext* context,
                                               const v1::ScaleJobRequest* request,
                                               v1::Job* response) {
  return DecideCall(
      parts_, context,
      [&](CallId call) {
        return coordinator::ScaleJob{.call = call,
                                     .principal = kPrincipal,
                                     .job = request->job(),
                                     .role = request->role(),
                                     .count = request->count(),
                                     .etag = request->etag()};
      },
      [this, response](const Reply& reply) { AnswerJob(parts_, reply, response); });
}

grpc::ServerUnaryReactor* JobService::GetServing(grpc::CallbackServerContext* context,
                                                 const v1::GetServingRequest* request,
                                                 v1::GetServingResponse* response) {
  return ReadCall(parts_, context, [this, request, response]() -> absl::Status {
    TY_ASSIGN_OR_RETURN(*response, ServingOf(parts_, request->job()));
    return absl::OkStatus();
  });
}

}  // namespace trainyard::coordinator
