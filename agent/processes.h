// The task processes of this machine: started, signalled, reaped.

#ifndef TRAINYARD_AGENT_PROCESSES_H_
#define TRAINYARD_AGENT_PROCESSES_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/end_class.h"

namespace trainyard::agent {

// What to start. `binary` is an absolute path; the whole environment is given.
struct ProcessSpec {
  uint64_t task_uid = 0;
  std::string name;  // for messages: "trainer/0 of job x"
  std::string binary;
  std::vector<std::string> args;
  std::vector<std::string> environment;
  std::string output_file;
};

// Guarded. Every process is a child of one thread that lives as long as this object: the kernel
// kills a task when the thread that started it ends, so tasks die with the agent however it dies.
// Each is the leader of a process group; when it ends, what is left of the group is killed.
class Processes {
 public:
  struct Callbacks {
    std::function<void(uint64_t task_uid, pid_t pid)> on_started;
    // Also when it could not be started.
    std::function<void(uint64_t task_uid, const EndReason& end)> on_ended;
  };

  // `exec_path`: where trainyard-exec is. Callbacks run on the thread of this object.
  Processes(std::string exec_path, Callbacks callbacks);
  // Kills and reaps all that run.
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  void Start(ProcessSpec spec) ABSL_LOCKS_EXCLUDED(mutex_);
  // TERM to the task itself, or KILL to its whole group. Nothing when it has ended.
  void Signal(uint64_t task_uid, bool kill) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct SignalOrder {
    uint64_t task_uid = 0;
    bool kill = false;
  };
  using Order = std::variant<ProcessSpec, SignalOrder>;
  struct Child {
    uint64_t task_uid = 0;
    std::string name;
    int pid_fd = -1;
    bool terminated = false;  // we sent TERM
    bool killed = false;      // we sent KILL
    int64_t oom_kills_before = 0;
  };

  void Post(Order order) ABSL_LOCKS_EXCLUDED(mutex_);
  // The rest runs on the thread.
  void Run();
  // Waits for orders and ends of children. False when it is time to go.
  bool WaitForNews();
  void Obey(const ProcessSpec& spec);
  void Obey(const SignalOrder& order);
  void ReapEnded();
  void Reap(pid_t pid, const Child& child);
  EndReason Explain(const Child& child, int wait_status, int64_t peak_rss_bytes) const;

  const std::string exec_path_;
  const Callbacks callbacks_;
  const int wake_fd_;
  absl::Mutex mutex_;
  std::vector<Order> orders_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Of the thread.
  std::map<pid_t, Child> children_;
  std::thread thread_;
};

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_PROCESSES_H_
