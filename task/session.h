// The session every task keeps with the coordinator. Free of protobuf, gRPC and torch.

#ifndef TRAINYARD_TASK_SESSION_H_
#define TRAINYARD_TASK_SESSION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/end_class.h"
#include "base/progress.h"
#include "task/assignment.h"

namespace trainyard::task {

using trainyard::Progress;

// Somebody of this job and epoch. Mirrors task.proto.
struct Peer {
  uint64_t task_uid = 0;
  std::string role;
  int index = 0;
  std::string endpoint;  // empty while it is not ready
  bool ready = false;
  bool draining = false;  // wanted to leave: no new work
  std::string node;
  std::string numerics_id;
};

// The level: everybody there is. Revisions grow; 0 = nothing was heard yet.
struct PeerSnapshot {
  int64_t revision = 0;
  std::vector<Peer> peers;

  // The ready ones of a role that are not draining, by index.
  std::vector<Peer> Ready(absl::string_view role) const;
};

// The task is to end. It comes from the coordinator, or from SIGTERM.
struct StopOrder {
  bool checkpoint = false;  // save one first, when the role can
  absl::Duration grace = absl::Seconds(30);
  std::string reason;
};

// A checkpoint whose manifest is durable and that wants to become the one to restore.
struct CommitRequest {
  int64_t step = 0;
  std::string uri;  // root://.../e<epoch>/step-<step>
  std::string manifest_sha256;
  // Validation metric, for "best".
  std::optional<double> metric;
  bool metric_higher_is_better = false;
  // Checkpoints to keep besides the best.
  int keep = 2;
};

struct CommitResult {
  int64_t revision = 0;
  // Directories (root:// uris) that this task may now delete; their rows are gone already.
  std::vector<std::string> prune;
};

// Everything between a task and the coordinator. Guarded: any thread may call any method. The
// connection lives on a thread of its own and comes back by itself after any loss; what is said
// meanwhile is the latest level, not a history. When the coordinator answers that this task's epoch
// is over, the process logs the cause and exits within 1 s: nothing it could do would count.
class TaskSession {
 public:
  // Closes the connection without an end reason (the agent reports the exit).
  virtual ~TaskSession() = default;

  // It serves at `endpoint` (empty when it serves nothing) and can work. Once, or again after a
  // change of endpoint.
  virtual void Ready(const std::string& endpoint, const std::string& numerics_id) = 0;

  // Latest progress. At most about one a second leaves; a change of phase leaves at once. Progress
  // of the step or phase is what hang detection watches.
  virtual void Report(const Progress& progress) = 0;

  // Metrics of a step (rank 0 or controller only). Values of one step are merged, a step before the
  // last one waiting is dropped. What is waiting leaves about once a second; a waiting row is
  // overtaken, and dropped, by a later one that has all of its names, so the rare values
  // (validation) stay. Not durable.
  virtual void ReportMetrics(int64_t step, const std::map<std::string, double>& values) = 0;

  // Everybody there is, as last heard.
  virtual PeerSnapshot Peers() const = 0;

  // Waits until `predicate` holds of the peers; it runs under no lock. DeadlineExceeded says which
  // peers there were; Cancelled when a stop was ordered meanwhile.
  virtual absl::StatusOr<PeerSnapshot> WaitForPeers(
      const std::function<bool(const PeerSnapshot&)>& predicate, absl::Duration timeout) = 0;

  // Called on the session's thread after each change of the peers, and once at once. Must not
  // block and must not call back into the session. An empty function ends it; when OnPeersChanged
  // returns, the former one is not running.
  virtual void OnPeersChanged(std::function<void(const PeerSnapshot&)> callback) = 0;

  // The order to stop, once there is one.
  virtual std::optional<StopOrder> StopRequested() const = 0;
  // Waits for it; nothing when `timeout` ran out.
  virtual std::optional<StopOrder> WaitForStop(absl::Duration timeout) = 0;
  // Orders this task to stop (SIGTERM). The first order stays.
  virtual void RequestStop(const StopOrder& order) = 0;

  // Makes a checkpoint the one to restore. Tries again with the same request id while the
  // coordinator is away, until `timeout`. One at a time: a second call waits for the first.
  // Aborted: the epoch is over. DeadlineExceeded: not known whether it is committed; asking again
  // for the same step is safe.
  virtual absl::StatusOr<CommitResult> CommitCheckpoint(const CommitRequest& request,
                                                        absl::Duration timeout) = 0;

  // Records the final outputs and makes the job SUCCEEDED. Tries again like CommitCheckpoint.
  virtual absl::Status FinishJob(const std::vector<Artifact>& outputs, absl::Duration timeout) = 0;

  // Tells why the task ends and waits until the coordinator has it on disk. DeadlineExceeded: it
  // may not have been heard. The caller then exits with ExitCodeOf(reason.end_class).
  virtual absl::Status End(const EndReason& reason, absl::Duration timeout) = 0;

  // For an error that no further work can survive (a lost peer, a poisoned device): logs the cause,
  // tells the coordinator if that is quick, and leaves the process within 1 s by _exit.
  [[noreturn]] virtual void Abort(const EndReason& reason) = 0;
};

struct SessionOptions {
  // Longest pause between attempts to reach the coordinator.
  absl::Duration longest_backoff = absl::Seconds(2);
};

// Opens the session of `assignment` and returns at once: the connection is made behind it. Peers
// that reconnect after a loss are the same session.
std::unique_ptr<TaskSession> Connect(const Assignment& assignment,
                                     const SessionOptions& options = {});

// A session without a coordinator, for tasks that run by themselves: progress and metrics go to the
// log, commits succeed (the manifest is the commit) and name nothing to prune, there are no peers.
std::unique_ptr<TaskSession> StandAlone();

// Turns SIGTERM and SIGINT into RequestStop (with a checkpoint), as long as it lives. One of them
// per process; BlockStopSignals must have been called first thing in main. A second signal exits at
// once.
class StopOnSignal {
 public:
  // `session` must outlive it.
  explicit StopOnSignal(TaskSession* session);
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trainyard::task

#endif  // TRAINYARD_TASK_SESSION_H_
