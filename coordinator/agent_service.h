// AgentService: the streams that agents keep.

#ifndef TRAINYARD_COORDINATOR_AGENT_SERVICE_H_
#define TRAINYARD_COORDINATOR_AGENT_SERVICE_H_

#include "coordinator/service_parts.h"
#include "trainyard/v1/agent.grpc.pb.h"

namespace trainyard::coordinator {

// Thread-safe; called on gRPC's threads, which it never blocks.
class AgentService final : public v1::AgentService::CallbackService {
 public:
  explicit AgentService(ServiceParts parts) : parts_(parts) {}

  grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorToAgent>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::LogShipment, v1::LogAck>* ShipLogs(
      grpc::CallbackServerContext* context) override;

 private:
  const ServiceParts parts_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_AGENT_SERVICE_H_
