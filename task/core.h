// The decisions of a task's session: when to connect, what to say, when to give up. Pure: no
// threads, no clock, no gRPC. task/client.cc runs it for real, the simulator on a virtual clock.
// The stream itself is kept by a SessionLink, as the agent keeps its own.
//
// The answer "your epoch is over" (Aborted, PermissionDenied) asks the process to abort, or, when
// it is about to end anyway, ends the session.

#ifndef TRAINYARD_TASK_CORE_H_
#define TRAINYARD_TASK_CORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/end_class.h"
#include "base/progress.h"
#include "base/session_link.h"
#include "task/session.h"

namespace trainyard::task {

// What a task says. Mirrors task.proto's TaskMessage.
struct Hello {
  std::string job_id;
  uint64_t epoch = 0;
  uint64_t task_uid = 0;
  std::string secret;
  uint64_t highest_term = 0;
  std::string numerics_id;
  std::string endpoint;
  bool ready = false;
};
struct ReadyNotice {
  std::string endpoint;
  std::string numerics_id;
};
struct StepMetrics {
  int64_t step = 0;
  std::map<std::string, double> values;
};
struct Heartbeat {
  int64_t sequence = 0;
};
using TaskSays = std::variant<Hello, ReadyNotice, Progress, StepMetrics, EndReason, Heartbeat>;

// What it hears. Mirrors task.proto's CoordinatorToTask.
struct Welcome {
  uint64_t term = 0;
  absl::Duration heartbeat = absl::Seconds(1);
};
struct HeartbeatAck {
  int64_t sequence = 0;
  uint64_t term = 0;
};
struct EndAck {};
using TaskHears = std::variant<Welcome, PeerSnapshot, StopOrder, HeartbeatAck, EndAck>;

// What happens to the session.
struct Start {};
struct Tick {};
struct Received {
  int64_t stream = 0;
  TaskHears message;
};
struct StreamClosed {
  int64_t stream = 0;
  absl::Status status;
};
// What the task's own threads want.
struct LocalReady {
  ReadyNotice ready;
};
struct LocalProgress {
  Progress progress;
};
struct LocalMetrics {
  StepMetrics metrics;
};
struct LocalStop {
  StopOrder order;
};
struct LocalEnd {
  EndReason reason;
};
using SessionEvent = std::variant<Start, Tick, Received, StreamClosed, LocalReady, LocalProgress,
                                  LocalMetrics, LocalStop, LocalEnd>;

// What the shell does, in order.
struct OpenStream {
  int64_t stream = 0;
};
struct CloseStream {
  int64_t stream = 0;
};
struct Say {
  int64_t stream = 0;
  TaskSays message;
};
struct PeersChanged {};    // read peers()
struct StopChanged {};     // read stop()
struct SessionEnded {      // the end reason is kept (OK), or nobody wants it any more (Aborted)
  absl::Status status;
};
struct AbortProcess {      // log the cause, _exit within 1 s
  EndReason reason;
};
using SessionAction = std::variant<OpenStream, CloseStream, Say, PeersChanged, StopChanged,
                                   SessionEnded, AbortProcess>;

struct SessionCoreOptions {
  std::string job_id;
  uint64_t epoch = 0;
  uint64_t task_uid = 0;
  std::string secret;
  // Its term is the assignment's.
  SessionLinkOptions link;
  // Progress and metrics leave at most this often.
  absl::Duration report_interval = absl::Seconds(1);
};

// A value. `now` is monotonic and never goes back.
class SessionCore {
 public:
  explicit SessionCore(SessionCoreOptions options);

  std::vector<SessionAction> Step(const SessionEvent& event, absl::Duration now);

  // When the next Tick is wanted at the latest (monotonic); infinite = none.
  absl::Duration NextTick() const;

  const PeerSnapshot& peers() const { return peers_; }
  const std::optional<StopOrder>& stop() const { return stop_; }
  bool connected() const { return link_.open(); }
  bool ended() const { return link_.phase() == SessionLink::Phase::kEnded; }
  uint64_t highest_term() const { return link_.highest_term(); }

 private:
  using Actions = std::vector<SessionAction>;

  void On(const Start&, Actions* actions);
  void On(const Tick&, Actions* actions);
  void On(const Received& event, Actions* actions);
  void On(const StreamClosed& event, Actions* actions);
  void On(const LocalReady& event, Actions* actions);
  void On(const LocalProgress& event, Actions* actions);
  void On(const LocalMetrics& event, Actions* actions);
  // Adds a row to those that wait: merges it with one of its step, drops those it overtakes.
  void KeepMetrics(const StepMetrics& row);
  void On(const LocalStop& event, Actions* actions);
  void On(const LocalEnd& event, Actions* actions);
  void Hear(const Welcome& message, Actions* actions);
  void Hear(const PeerSnapshot& message, Actions* actions);
  void Hear(const StopOrder& message, Actions* actions);
  void Hear(const HeartbeatAck& message, Actions* actions);
  void Hear(const EndAck& message, Actions* actions);

  void Open(Actions* actions);
  // Leaves the stream and waits for the next attempt.
  void Lose(bool close, Actions* actions);
  void EpochOver(const absl::Status& status, Actions* actions);
  // False, and the stream is left, when `term` is lower than one seen before.
  bool AcceptTerm(uint64_t term, Actions* actions);
  void SendReports(bool all, Actions* actions);
  void SendTo(TaskSays message, Actions* actions);

  const SessionCoreOptions options_;
  SessionLink link_;
  absl::Duration now_ = absl::ZeroDuration();

  PeerSnapshot peers_;
  std::optional<StopOrder> stop_;
  std::optional<ReadyNotice> ready_;
  bool ready_waits_ = false;
  std::optional<EndReason> end_;
  // Latest, and whether it still has to leave.
  std::optional<Progress> progress_;
  bool progress_waits_ = false;
  std::deque<StepMetrics> metrics_;  // waiting rows, by step
  absl::Duration next_progress_ = absl::ZeroDuration();
  absl::Duration next_metrics_ = absl::ZeroDuration();
};

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_CORE_H_
