// One WatchJobs call: a snapshot or the deltas since a revision, page by page as the reader takes
// them, then every change.

#ifndef TRAINYARD_COORDINATOR_WATCH_STREAM_H_
#define TRAINYARD_COORDINATOR_WATCH_STREAM_H_

#include "coordinator/service_parts.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::coordinator {

// The reactor owns itself until the call is done. OUT_OF_RANGE: the revision lies in the future of
// this store or too far back, or the reader is too slow.
grpc::ServerWriteReactor<v1::WatchJobsEvent>* StartWatch(const ServiceParts& parts,
                                                         grpc::CallbackServerContext* context,
                                                         const v1::WatchJobsRequest& request);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_WATCH_STREAM_H_
