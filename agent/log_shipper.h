// Sends what tasks print to the coordinator.

#ifndef TRAINYARD_AGENT_LOG_SHIPPER_H_
#define TRAINYARD_AGENT_LOG_SHIPPER_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <variant>

#include "absl/time/time.h"
#include "base/backoff.h"
#include "base/bounded_queue.h"
#include "rpc/client_stream.h"
#include "trainyard/v1/agent.grpc.pb.h"

namespace trainyard::agent {

// One task's output file.
struct LogSource {
  uint64_t task_uid = 0;
  std::string job_id;
  int attempt = 0;
  std::string task;  // role/index
  std::string path;
  // An agent before this one may have shipped a part of it: the coordinator tells how much.
  bool of_earlier_agent = false;
};

// Guarded. One thread reads the files and keeps a stream of its own to the coordinator, so that
// logs never stand in the way of the session. What the coordinator has on disk is freed here at
// once (the file keeps its length and loses its blocks); without a coordinator at most
// kMostKeptBytes are kept per task, then the oldest go. A file that an earlier agent left is
// shipped from the offset that the coordinator has acknowledged.
class LogShipper {
 public:
  static constexpr int64_t kMostKeptBytes = int64_t{64} << 20;

  // `on_done` is called on the shipper's thread when a finished task's last byte is kept.
  LogShipper(std::shared_ptr<grpc::Channel> channel, std::function<void(uint64_t)> on_done);
  // Ships what there is for at most `kLastWait`, then gives up.
  ~LogShipper();
  LogShipper(const LogShipper&) = delete;
  LogShipper& operator=(const LogShipper&) = delete;

  void Add(LogSource source);
  // Nobody writes to it any more.
  void Finish(uint64_t task_uid);

 private:
  static constexpr absl::Duration kLastWait = absl::Seconds(2);
  using Stream = rpc::ClientStream<v1::LogShipment, v1::LogAck>;
  struct Finished {
    uint64_t task_uid = 0;
  };
  struct Kept {
    int64_t stream = 0;
    uint64_t task_uid = 0;
    int64_t offset = 0;
  };
  struct LastCall {};
  using Item = std::variant<LogSource, Finished, Kept, LastCall>;
  using Inbox = BoundedQueue<Item>;
  struct Tail {
    LogSource source;
    int fd = -1;
    int64_t sent = 0;
    int64_t kept = 0;
    bool finished = false;
    bool resumes = false;  // `kept` is still to be asked
    bool asked = false;    // on this stream
  };

  // All on the thread.
  void Run();
  void Take(LogSource& source);
  void Take(Finished& finished);
  void Take(Kept& kept);
  void Take(LastCall&);
  void Open();
  void NoticeClosed();
  void ShipAll();
  void ShipOne(Tail* tail);
  void AskWhatIsKept(Tail* tail);
  v1::LogShipment ShipmentOf(const Tail& tail) const;
  bool AllShipped();
  void WatchProgress();

  const std::unique_ptr<v1::AgentService::Stub> stub_;
  const std::function<void(uint64_t)> on_done_;
  const std::shared_ptr<Inbox> inbox_;
  std::map<uint64_t, Tail> tails_;
  std::shared_ptr<Stream> stream_;
  int64_t stream_number_ = 0;
  Backoff backoff_;
  absl::Duration open_at_ = absl::ZeroDuration();
  // When the last acknowledgement came, or nothing was outstanding.
  absl::Duration progress_at_ = absl::ZeroDuration();
  absl::Duration leave_at_ = absl::InfiniteDuration();
  std::thread thread_;
};

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_LOG_SHIPPER_H_
