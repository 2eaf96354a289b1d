// The stream of an agent or a task as the coordinator sees it: messages become events, orders
// become messages.

#ifndef TRAINYARD_COORDINATOR_SESSION_REACTOR_H_
#define TRAINYARD_COORDINATOR_SESSION_REACTOR_H_

#include <memory>
#include <utility>

#include "coordinator/service_parts.h"
#include "coordinator/stream_queue.h"
#include "rpc/status.h"

namespace trainyard::coordinator {

// `Dialect` gives In, Out, Lost and the functions
//   static Event Hear(const In&, SessionId)      what a message means
//   static Out Say(const Order&)                 what an order is called
// and `bool Keep(const In&)` for messages that are no events (true: it was one).
// Owns itself until the stream is done.
template <typename Dialect>
class SessionReactor final
    : public grpc::ServerBidiReactor<typename Dialect::In, typename Dialect::Out> {
 public:
  using In = typename Dialect::In;
  using Out = typename Dialect::Out;

  SessionReactor(const ServiceParts& parts, grpc::CallbackServerContext* context, Dialect dialect)
      : parts_(parts), dialect_(std::move(dialect)) {
    sink_ = std::make_shared<Sink>(
        context, typename StreamQueue<Out>::Stream{
                     .write = [this](const Out* message) { this->StartWrite(message); },
                     .finish = [this](const grpc::Status& status) { this->Finish(status); }});
    session_ = parts_.sessions.Add(sink_);
    this->StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    // The peer closed its half: whatever it still wants it says on its next stream.
    if (!ok) return sink_->Close(absl::OkStatus());
    if (!dialect_.Keep(incoming_) && !parts_.loop.Post(Dialect::Hear(incoming_, session_))) {
      return sink_->Close(Overloaded());
    }
    this->StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override { sink_->queue().OnWriteDone(ok); }
  void OnCancel() override { sink_->Close(absl::CancelledError("the stream was cut")); }
  void OnDone() override {
    parts_.sessions.Remove(session_);
    sink_->Detach();
    parts_.loop.PostAlways(typename Dialect::Lost{session_});
    delete this;
  }

 private:
  // Outlives the reactor when an order is on its way while the stream ends.
  class Sink final : public SessionSink {
   public:
    Sink(grpc::CallbackServerContext* context, typename StreamQueue<Out>::Stream stream)
        : context_(context), queue_(kBuffer, std::move(stream)) {}

    void Send(const Order& order) override {
      if (const auto* close = std::get_if<CloseSession>(&order)) return Close(close->status);
      absl::MutexLock lock(&mutex_);
      if (detached_) return;
      if (!queue_.Send(Dialect::Say(order))) {
        queue_.Close(rpc::ToGrpc(absl::UnavailableError(
                         "this stream did not keep up with its orders; connect again")),
                     true);
      }
    }
    void Close(const absl::Status& status) override {
      absl::MutexLock lock(&mutex_);
      if (detached_) return;
      queue_.Close(status.ok() ? grpc::Status::OK : rpc::ToGrpc(status, context_), false);
    }
    void Detach() {
      absl::MutexLock lock(&mutex_);
      detached_ = true;
    }
    StreamQueue<Out>& queue() { return queue_; }

   private:
    static constexpr size_t kBuffer = 1024;

    grpc::CallbackServerContext* const context_;
    StreamQueue<Out> queue_;
    absl::Mutex mutex_;
    bool detached_ ABSL_GUARDED_BY(mutex_) = false;
  };

  const ServiceParts parts_;
  Dialect dialect_;
  std::shared_ptr<Sink> sink_;
  SessionId session_ = 0;
  In incoming_;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SESSION_REACTOR_H_
