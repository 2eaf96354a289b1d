// The client's end of a two-way stream, as messages in and messages out.

#ifndef TRAINYARD_RPC_CLIENT_STREAM_H_
#define TRAINYARD_RPC_CLIENT_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "rpc/status.h"

namespace trainyard::rpc {

// Guarded. Lives, by itself, until gRPC has let go of it; callbacks run on gRPC's threads and must
// not block. The stream has no deadline of its own: its owner watches for silence and cancels.
template <typename Out, typename In>
class ClientStream final : public grpc::ClientBidiReactor<Out, In> {
 public:
  using Reactor = grpc::ClientBidiReactor<Out, In>;
  struct Callbacks {
    // A message arrived. False refuses it: a message is missing, so the stream is cancelled.
    std::function<bool(In)> on_message;
    // Exactly once, last: what the stream ended with.
    std::function<void(const absl::Status&)> on_closed;
  };
  // Starts the call: [&](auto* context, auto* reactor) { stub.async()->Session(context, reactor); }
  using Open = std::function<void(grpc::ClientContext*, Reactor*)>;

  static std::shared_ptr<ClientStream> Start(const Open& open, Callbacks callbacks) {
    auto stream = std::shared_ptr<ClientStream>(new ClientStream(std::move(callbacks)));
    stream->self_ = stream;
    open(&stream->context_, stream.get());
    // Writes begin outside of reactions; the hold keeps the call until the reads have ended.
    stream->AddHold();
    stream->StartRead(&stream->incoming_);
    stream->StartCall();
    return stream;
  }

  // Queues a message. False when the stream is closed or `kMostQueued` wait: the caller cancels.
  bool Send(Out message) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (ended_ || queue_.size() >= kMostQueued) return false;
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) this->StartWrite(&queue_.front());
    return true;
  }

  // Ends the stream; on_closed follows.
  void Cancel() { context_.TryCancel(); }

  // Whether on_closed has run, waiting up to `timeout` for it.
  bool AwaitClosed(absl::Duration timeout) {
    return closed_.WaitForNotificationWithTimeout(timeout);
  }

 private:
  static constexpr size_t kMostQueued = 4096;

  explicit ClientStream(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    if (ok) {
      if (!callbacks_.on_message(std::exchange(incoming_, In()))) Cancel();
      this->StartRead(&incoming_);
      return;
    }
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
    }
    this->RemoveHold();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    queue_.pop_front();
    if (ok && !ended_ && !queue_.empty()) this->StartWrite(&queue_.front());
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<ClientStream> self = std::move(self_);
    callbacks_.on_closed(FromGrpc(status, context_));
    closed_.Notify();
  }

  const Callbacks callbacks_;
  grpc::ClientContext context_;
  In incoming_;
  std::shared_ptr<ClientStream> self_;
  absl::Notification closed_;
  absl::Mutex mutex_;
  // The front one is being written.
  std::deque<Out> queue_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace trainyard::rpc

#endif  // TRAINYARD_RPC_CLIENT_STREAM_H_
