#include "coordinator/task_service.h"

#include <utility>

#include "coordinator/session_reactor.h"
#include "coordinator/wire.h"

namespace trainyard::coordinator {
namespace {

// Who a session says it is. Metrics are kept only of the task that the durable record names as the
// one that speaks for its job, so a stranger's number names nothing.
class TaskDialect {
 public:
  using In = v1::TaskMessage;
  using Out = v1::CoordinatorToTask;
  using Lost = TaskSessionLost;

  explicit TaskDialect(const ServiceParts& parts) : parts_(parts) {}

  static Event Hear(const In& message, SessionId session) { return FromTask(message, session); }
  static Out Say(const Order& order) { return ToTask(order); }

  bool Keep(const In& message) {
    if (message.has_hello()) {
      job_id_ = message.hello().job_id();
      task_uid_ = message.hello().task_uid();
      const auto view = parts_.board.Find(job_id_);
      genuine_ = view.has_value() && view->job.secret == message.hello().secret() &&
                 view->job.epoch == message.hello().epoch();
      return false;
    }
    if (!message.has_metrics()) return false;
    const std::map<std::string, double> values(message.metrics().values().begin(),
                                               message.metrics().values().end());
    if (genuine_ && parts_.board.Observe(job_id_, task_uid_, values)) {
      parts_.metrics.Add(job_id_, {message.metrics().step(), parts_.clock.Now(), values});
    }
    return true;
  }

 private:
  const ServiceParts parts_;
  std::string job_id_;
  uint64_t task_uid_ = 0;
  bool genuine_ = false;
};

TaskIdentity IdentityOf(const std::string& job_id, uint64_t epoch, uint64_t task_uid,
                        const std::string& secret) {
  return {job_id, epoch, task_uid, secret};
}

}  // namespace

grpc::ServerBidiReactor<v1::TaskMessage, v1::CoordinatorToTask>* TaskService::Session(
    grpc::CallbackServerContext* context) {
  return new SessionReactor<TaskDialect>(parts_, context, TaskDialect(parts_));
}

grpc::ServerUnaryReactor* TaskService::CommitCheckpoint(grpc::CallbackServerContext* context,
                                                        const v1::CommitCheckpointRequest* request,
                                                        v1::CommitCheckpointResponse* response) {
  return DecideCall(
      parts_, context,
      [&](CallId call) {
        coordinator::CommitCheckpoint event{
            .call = call,
            .task = IdentityOf(request->job_id(), request->epoch(), request->task_uid(),
                               request->secret()),
            .request_id = request->request_id(),
            .step = request->step(),
            .uri = request->uri(),
            .manifest_sha256 = request->manifest_sha256(),
            .metric_higher_is_better = request->metric_higher_is_better()};
        if (request->has_metric()) event.metric = request->metric();
        event.keep = request->keep();
        return event;
      },
      [response](const Reply& reply) {
        const auto& answer = std::get<CommitAnswer>(reply.value);
        response->set_revision(answer.revision);
        response->mutable_prune()->Assign(answer.prune.begin(), answer.prune.end());
      });
}

grpc::ServerUnaryReactor* TaskService::FinishJob(grpc::CallbackServerContext* context,
                                                 const v1::FinishJobRequest* request,
                                                 v1::FinishJobResponse* response) {
  return DecideCall(
      parts_, context,
      [&](CallId call) {
        coordinator::FinishJob event{.call = call,
                                     .task = IdentityOf(request->job_id(), request->epoch(),
                                                        request->task_uid(), request->secret()),
                                     .request_id = request->request_id()};
        for (const v1::Artifact& output : request->outputs()) {
          event.outputs.push_back(FromWire(output));
        }
        return event;
      },
      [response](const Reply& reply) {
        response->set_revision(std::get<FinishAnswer>(reply.value).revision);
      });
}

}  // namespace trainyard::coordinator
