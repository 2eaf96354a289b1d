// TaskService: the streams that tasks keep, and the two calls that make their work count.

#ifndef TRAINYARD_COORDINATOR_TASK_SERVICE_H_
#define TRAINYARD_COORDINATOR_TASK_SERVICE_H_

#include "coordinator/service_parts.h"
#include "trainyard/v1/task.grpc.pb.h"

namespace trainyard::coordinator {

// Thread-safe; called on gRPC's threads, which it never blocks.
class TaskService final : public v1::TaskService::CallbackService {
 public:
  explicit TaskService(ServiceParts parts) : parts_(parts) {}

  grpc::ServerBidiReactor<v1::TaskMessage, v1::CoordinatorToTask>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* CommitCheckpoint(grpc::CallbackServerContext* context,
                                             const v1::CommitCheckpointRequest* request,
                                             v1::CommitCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* FinishJob(grpc::CallbackServerContext* context,
                                      const v1::FinishJobRequest* request,
                                      v1::FinishJobResponse* response) override;

 private:
  const ServiceParts parts_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_TASK_SERVICE_H_
