// Threads that serve the tasks of an elastic role: so many for each task that is there.

#ifndef TRAINYARD_PPO_TASK_THREADS_H_
#define TRAINYARD_PPO_TASK_THREADS_H_

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "ppo/cancel_scope.h"
#include "task/session.h"

namespace trainyard::ppo {

struct TaskThreadsOptions {
  std::string role;
  int threads_per_task = 1;
  // Whether the task may work at all; called by Reconcile.
  std::function<bool(const task::Peer&)> admit;
};

// Owned by the controller's thread, which calls Reconcile as peers come and go. The threads it
// starts call `body` over and over: it waits a little when there is nothing to do. After an error
// the thread pauses, longer each time, up to 5 s. A task that is gone has its calls cancelled, one
// that drains ends what it does.
class TaskThreads {
 public:
  using Body = std::function<absl::Status(const task::Peer&, CancelScope*)>;

  TaskThreads(TaskThreadsOptions options, Body body)
      : options_(std::move(options)), body_(std::move(body)) {}
  ~TaskThreads();  // cancels and joins
  TaskThreads(const TaskThreads&) = delete;
  TaskThreads& operator=(const TaskThreads&) = delete;

  // Makes the threads fit the peers. Returns how many tasks are at work.
  int Reconcile(const task::PeerSnapshot& peers);

 private:
  struct Lane {
    task::Peer peer;
    CancelScope scope;
    absl::Notification done;
    std::thread thread;
  };

  void Start(const task::Peer& peer);
  void Run(Lane* lane);

  const TaskThreadsOptions options_;
  const Body body_;
  std::list<std::unique_ptr<Lane>> lanes_;
};

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_TASK_THREADS_H_
