#include "coordinator/service_parts.h"

#include <utility>

#include "base/status.h"
#include "coordinator/wire.h"
#include "rpc/status.h"

namespace trainyard::coordinator {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);

std::string RemedyFor(const absl::Status& status, const std::string& reason) {
  // What is wrong is in the message, and time alone does not mend it.
  if (reason == "READ_ONLY") {
    return "free some space on the coordinator's disk; it goes on by itself";
  }
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return reason == "NO_SUCH_NODE" ? "trainyard nodes shows what there is"
                                      : "trainyard list shows what there is";
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
      return "try again in a moment";
    default:
      return "";
  }
}

}  // namespace

void Finish(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
            const absl::Status& status) {
  reactor->Finish(rpc::ToGrpc(status, context));
}

absl::Status Overloaded() {
  return rpc::WithDetail(
      absl::UnavailableError("the coordinator has more work queued than it takes"),
      {.reason = "OVERLOADED", .retry_after = kRetryAfter, .remedy = "try again in a moment"});
}

absl::Status StatusOf(const Reply& reply) {
  if (reply.status.ok() || reply.reason.empty()) return reply.status;
  const bool later = reply.status.code() == absl::StatusCode::kResourceExhausted ||
                     reply.status.code() == absl::StatusCode::kUnavailable;
  return rpc::WithDetail(reply.status, {.reason = reply.reason,
                                        .retry_after = later ? kRetryAfter : absl::ZeroDuration(),
                                        .remedy = RemedyFor(reply.status, reply.reason)});
}

grpc::ServerUnaryReactor* DecideCall(const ServiceParts& parts,
                                     grpc::CallbackServerContext* context,
                                     const std::function<Event(CallId)>& make,
                                     std::function<void(const Reply&)> answer) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const CallId call =
      parts.calls.Add([context, reactor, answer = std::move(answer)](const Reply& reply) {
        if (reply.status.ok()) answer(reply);
        Finish(context, reactor, StatusOf(reply));
      });
  if (!parts.loop.Post(make(call))) parts.calls.Resolve({.call = call, .status = Overloaded()});
  return reactor;
}

grpc::ServerUnaryReactor* ReadCall(const ServiceParts& parts, grpc::CallbackServerContext* context,
                                   std::function<absl::Status()> read) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool queued = parts.reads.Post(
      [context, reactor, read = std::move(read)] { Finish(context, reactor, read()); });
  if (!queued) Finish(context, reactor, Overloaded());
  return reactor;
}

grpc::ServerUnaryReactor* RefuseCall(grpc::CallbackServerContext* context,
                                     const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Finish(context, reactor, status);
  return reactor;
}

absl::StatusOr<JobRecord> FindJob(const ServiceParts& parts, const std::string& id_or_name) {
  auto found = parts.store.FindJob(id_or_name);
  if (found.ok()) return found;
  return rpc::WithDetail(found.status(), {.reason = "NO_SUCH_JOB",
                                          .remedy = "trainyard list shows the jobs there are"});
}

absl::StatusOr<PipelineRecord> FindPipeline(const ServiceParts& parts,
                                            const std::string& id_or_name) {
  auto found = parts.store.FindPipeline(id_or_name);
  if (found.ok()) return found;
  return rpc::WithDetail(found.status(),
                         {.reason = "NO_SUCH_PIPELINE",
                          .remedy = "trainyard list shows the pipelines of the jobs there are"});
}

absl::StatusOr<v1::Job> ReadJob(const ServiceParts& parts, const std::string& id_or_name) {
  TY_ASSIGN_OR_RETURN(const JobRecord record, FindJob(parts, id_or_name));
  v1::Job job;
  const auto view = parts.board.Find(record.id);
  if (view.has_value()) {
    job = ToWire(*view);
  } else {
    job = ToWire(record);
    TY_ASSIGN_OR_RETURN(const auto attempts, parts.store.ListAttempts(record.id));
    TY_ASSIGN_OR_RETURN(const auto tasks, parts.store.ListTasks(record.id, record.attempt));
    if (!attempts.empty()) {
      *job.mutable_current() = ToWire(attempts.back());
      for (const TaskRecord& task : tasks) *job.mutable_current()->add_tasks() = ToWire(task);
    }
  }
  TY_ASSIGN_OR_RETURN(const auto checkpoints, parts.store.ListCheckpoints(record.id));
  for (const CheckpointRow& row : checkpoints) *job.add_checkpoints() = ToWire(row);
  return job;
}

}  // namespace trainyard::coordinator
