// One GetLogs call: what is kept of a job's output, and (follow) what comes until the job is over.

#ifndef TRAINYARD_COORDINATOR_LOG_STREAM_H_
#define TRAINYARD_COORDINATOR_LOG_STREAM_H_

#include "coordinator/service_parts.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::coordinator {

// The reactor owns itself until the call is done. NOT_FOUND names the job.
grpc::ServerWriteReactor<v1::LogChunk>* StartLogs(const ServiceParts& parts,
                                                  grpc::CallbackServerContext* context,
                                                  const v1::GetLogsRequest& request);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_LOG_STREAM_H_
