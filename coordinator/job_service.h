// JobService: what users ask of jobs. Every method is answered from what is durable.

#ifndef TRAINYARD_COORDINATOR_JOB_SERVICE_H_
#define TRAINYARD_COORDINATOR_JOB_SERVICE_H_

#include "coordinator/service_parts.h"
#include "trainyard/v1/coordinator.grpc.pb.h"

namespace trainyard::coordinator {

// Thread-safe; called on gRPC's threads, which it never blocks.
class JobService final : public v1::JobService::CallbackService {
 public:
  explicit JobService(ServiceParts parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* SubmitPipeline(grpc::CallbackServerContext* context,
                                           const v1::SubmitPipelineRequest* request,
                                           v1::Pipeline* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request, v1::Job* response) override;
  grpc::ServerUnaryReactor* GetPipeline(grpc::CallbackServerContext* context,
                                        const v1::GetPipelineRequest* request,
                                        v1::Pipeline* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchJobsEvent>* WatchJobs(
      grpc::CallbackServerContext* context, const v1::WatchJobsRequest* request) override;
  grpc::ServerWriteReactor<v1::LogChunk>* GetLogs(grpc::CallbackServerContext* context,
                                                  const v1::GetLogsRequest* request) override;
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const v1::GetMetricsRequest* request,
                                       v1::GetMetricsResponse* response) override;
  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const v1::ListEventsRequest* request,
                                       v1::ListEventsResponse* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* PauseJob(grpc::CallbackServerContext* context,
                                     const v1::PauseJobRequest* request,
                                     v1::Job* response) override;
  grpc::ServerUnaryReactor* ResumeJob(grpc::CallbackServerContext* context,
                                      const v1::ResumeJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* RetryJob(grpc::CallbackServerContext* context,
                                     const v1::RetryJobRequest* request,
                                     v1::Job* response) override;
  grpc::ServerUnaryReactor* CancelPipeline(grpc::CallbackServerContext* context,
                                           const v1::CancelPipelineRequest* request,
                                           v1::Pipeline* response) override;
  grpc::ServerUnaryReactor* RetryPipeline(grpc::CallbackServerContext* context,
                                          const v1::RetryPipelineRequest* request,
                                          v1::Pipeline* response) override;
  grpc::ServerUnaryReactor* ScaleJob(grpc::CallbackServerContext* context,
                                     const v1::ScaleJobRequest* request,
                                     v1::Job* response) override;
  // Hands out a job's secret: only of a generate job with `serve`, which has nothing to commit.
  grpc::ServerUnaryReactor* GetServing(grpc::CallbackServerContext* context,
                                       const v1::GetServingRequest* request,
                                       v1::GetServingResponse* response) override;

 private:
  grpc::ServerUnaryReactor* Change(grpc::CallbackServerContext* context, const ChangeJob& change,
                                   v1::Job* response);
  grpc::ServerUnaryReactor* Change(grpc::CallbackServerContext* context,
                                   const ChangePipeline& change, v1::Pipeline* response);

  const ServiceParts parts_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_JOB_SERVICE_H_
