// The coordinator as the CLI sees it: calls with deadlines, streams that survive its restart.

#ifndef TRAINYARD_CLI_CLIENT_H_
#define TRAINYARD_CLI_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trainyard/v1/coordinator.grpc.pb.h"

namespace trainyard::cli {

// A job or a pipeline: most verbs take either.
using Target = std::variant<v1::Job, v1::Pipeline>;

// One thread. Every call ends within the deadline; reads and idempotent changes are tried again
// while the coordinator is away.
class Client {
 public:
  // `patience`: how long a call waits for a coordinator that can not be reached.
  explicit Client(const std::string& address, absl::Duration patience = absl::Seconds(5));

  const std::string& address() const { return address_; }

  // A fresh request id is drawn, so that a submission tried again is one job.
  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec, bool validate_only);
  absl::StatusOr<v1::Pipeline> Submit(const v1::PipelineSpec& spec, bool validate_only);

  absl::StatusOr<v1::Job> GetJob(const std::string& job, bool explain = false);
  absl::StatusOr<v1::Pipeline> GetPipeline(const std::string& pipeline);
  // The job of this id or name, else the pipeline.
  absl::StatusOr<Target> Find(const std::string& name);

  absl::StatusOr<v1::ListJobsResponse> ListJobs(const v1::ListJobsRequest& request);
  absl::StatusOr<v1::ListEventsResponse> ListEvents(const v1::ListEventsRequest& request);
  absl::StatusOr<v1::GetMetricsResponse> GetMetrics(const v1::GetMetricsRequest& request);
  absl::StatusOr<v1::ListNodesResponse> ListNodes();
  absl::StatusOr<v1::ClusterStatus> Status();

  absl::StatusOr<v1::Job> Cancel(const std::string& job, const std::string& reason);
  absl::StatusOr<v1::Pipeline> CancelPipeline(const std::string& pipeline,
                                              const std::string& reason);
  absl::StatusOr<v1::Job> Pause(const std::string& job);
  absl::StatusOr<v1::Job> Resume(const std::string& job);
  absl::StatusOr<v1::Job> Retry(const std::string& job);
  absl::StatusOr<v1::Pipeline> RetryPipeline(const std::string& pipeline);
  absl::StatusOr<v1::Job> Scale(const v1::ScaleJobRequest& request);
  // One try: Unavailable while nothing serves yet.
  absl::StatusOr<v1::GetServingResponse> GetServing(const std::string& job);
  absl::StatusOr<v1::Node> Cordon(const std::string& node, bool uncordon);
  absl::StatusOr<v1::Node> Drain(const std::string& node, absl::Duration deadline);

  // Calls `on_event` for the snapshot and then for every change until it returns false (OK) or
  // `until` passes (DeadlineExceeded). Goes on after a restart of the coordinator, told in between
  // by an event without a job.
  absl::Status Watch(const v1::WatchJobsRequest& request, absl::Time until,
                     const std::function<bool(const v1::WatchJobsEvent&)>& on_event);

  // Calls `on_chunk` for what is kept and, when following, for what comes until the job is over.
  absl::Status Logs(const v1::GetLogsRequest& request,
                    const std::function<void(const v1::LogChunk&)>& on_chunk);

 private:
  const std::string address_;
  const absl::Duration patience_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::ClusterService::Stub> cluster_;
};

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_CLIENT_H_
