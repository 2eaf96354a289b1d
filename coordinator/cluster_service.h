// ClusterService: what users ask of nodes and of the coordinator itself.

#ifndef TRAINYARD_COORDINATOR_CLUSTER_SERVICE_H_
#define TRAINYARD_COORDINATOR_CLUSTER_SERVICE_H_

#include "coordinator/service_parts.h"
#include "trainyard/v1/coordinator.grpc.pb.h"

namespace trainyard::coordinator {

// Thread-safe; called on gRPC's threads, which it never blocks.
class ClusterService final : public v1::ClusterService::CallbackService {
 public:
  explicit ClusterService(ServiceParts parts) : parts_(parts), started_at_(parts.clock.Now()) {}

  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesResponse* response) override;
  grpc::ServerUnaryReactor* CordonNode(grpc::CallbackServerContext* context,
                                       const v1::CordonNodeRequest* request,
                                       v1::Node* response) override;
  grpc::ServerUnaryReactor* DrainNode(grpc::CallbackServerContext* context,
                                      const v1::DrainNodeRequest* request,
                                      v1::Node* response) override;
  grpc::ServerUnaryReactor* GetClusterStatus(grpc::CallbackServerContext* context,
                                             const v1::GetClusterStatusRequest* request,
                                             v1::ClusterStatus* response) override;

 private:
  const ServiceParts parts_;
  const absl::Time started_at_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CLUSTER_SERVICE_H_
