#include "coordinator/agent_service.h"

#include <memory>
#include <utility>

#include "coordinator/session_reactor.h"
#include "coordinator/wire.h"

namespace trainyard::coordinator {
namespace {

constexpr size_t kMaxPieceBytes = 64 << 10;

struct AgentDialect {
  using In = v1::AgentMessage;
  using Out = v1::CoordinatorToAgent;
  using Lost = AgentSessionLost;
  static Event Hear(const In& message, SessionId session) { return FromAgent(message, session); }
  static Out Say(const Order& order) { return ToAgent(order); }
  bool Keep(const In&) { return false; }
};

// One ShipLogs stream: a piece, its acknowledgement once it is on disk, the next piece.
class ShipReactor final : public grpc::ServerBidiReactor<v1::LogShipment, v1::LogAck> {
 public:
  explicit ShipReactor(LogStore& logs) : logs_(logs) { StartRead(&shipment_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    if (shipment_.data().size() > kMaxPieceBytes) {
      return Finish(rpc::ToGrpc(absl::InvalidArgumentError("a piece has at most 64 KiB")));
    }
    LogPiece piece{
        {shipment_.job_id(), shipment_.attempt(), shipment_.task(), shipment_.task_uid()},
        shipment_.offset(),
        std::move(*shipment_.mutable_data())};
    // The stream has one operation at a time, so this object lives until the piece is answered.
    logs_.Append(std::move(piece), [this](absl::StatusOr<int64_t> kept) {
      if (!kept.ok()) return Finish(rpc::ToGrpc(kept.status()));
      ack_.set_task_uid(shipment_.task_uid());
      ack_.set_offset(*kept);
      StartWrite(&ack_);
    });
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&shipment_);
  }
  void OnDone() override { delete this; }

 private:
  LogStore& logs_;
  v1::LogShipment shipment_;
  v1::LogAck ack_;
};

}  // namespace

grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorToAgent>* AgentService::Session(
    grpc::CallbackServerContext* context) {
  return new SessionReactor<AgentDialect>(parts_, context, AgentDialect());
}

grpc::ServerBidiReactor<v1::LogShipment, v1::LogAck>* AgentService::ShipLogs(
    grpc::CallbackServerContext*) {
  return new ShipReactor(parts_.logs);
}

}  // namespace trainyard::coordinator
