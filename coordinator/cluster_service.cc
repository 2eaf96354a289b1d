#include "coordinator/cluster_service.h"

#include "base/status.h"
#include "base/version.h"
#include "coordinator/wire.h"

namespace trainyard::coordinator {

grpc::ServerUnaryReactor* ClusterService::ListNodes(grpc::CallbackServerContext* context,
                                                    const v1::ListNodesRequest*,
                                                    v1::ListNodesResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool asked = parts_.loop.Query([=](const Core& core, absl::Time now) {
    auto nodes = std::make_shared<std::vector<NodeView>>(core.Nodes());
    return [=] {
      for (const NodeView& node : *nodes) *response->add_nodes() = ToWire(node, now);
      Finish(context, reactor, absl::OkStatus());
    };
  });
  if (!asked) Finish(context, reactor, Overloaded());
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::CordonNode(grpc::CallbackServerContext* context,
                                                     const v1::CordonNodeRequest* request,
                                                     v1::Node* response) {
  return DecideCall(
      parts_, context,
      [&](CallId call) {
        return coordinator::CordonNode{call, kPrincipal, request->node(), request->uncordon()};
      },
      [this, response](const Reply& reply) {
        *response = ToWire({.record = std::get<NodeRecord>(reply.value)}, parts_.clock.Now());
      });
}

grpc::ServerUnaryReactor* ClusterService::DrainNode(grpc::CallbackServerContext* context,
                                                    const v1::DrainNodeRequest* request,
                                                    v1::Node* response) {
  return DecideCall(
      parts_, context,
      [&](CallId call) {
        coordinator::DrainNode event{
            .call = call, .principal = kPrincipal, .node = request->node()};
        if (request->deadline_seconds() > 0) {
          event.deadline = absl::Seconds(request->deadline_seconds());
        }
        return event;
      },
      [this, response](const Reply& reply) {
        *response = ToWire({.record = std::get<NodeRecord>(reply.value)}, parts_.clock.Now());
      });
}

grpc::ServerUnaryReactor* ClusterService::GetClusterStatus(grpc::CallbackServerContext* context,
                                                           const v1::GetClusterStatusRequest*,
                                                           v1::ClusterStatus* response) {
  return ReadCall(parts_, context, [this, response]() -> absl::Status {
    response->set_term(parts_.store.term());
    response->set_revision(parts_.store.durable_revision());
    response->set_version(kVersion);
    response->set_read_only_reason(parts_.store.read_only_reason());
    response->set_started_at_us(ToMicros(started_at_));
    TY_ASSIGN_OR_RETURN(const auto counts, parts_.store.CountJobsByState());
    response->mutable_jobs_by_state()->insert(counts.begin(), counts.end());
    return absl::OkStatus();
  });
}

}  // namespace trainyard::coordinator
