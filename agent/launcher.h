// Turns a desired task into a process: which program, which files, which environment.

#ifndef TRAINYARD_AGENT_LAUNCHER_H_
#define TRAINYARD_AGENT_LAUNCHER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/config.h"
#include "agent/core.h"
#include "agent/log_shipper.h"
#include "agent/processes.h"

namespace trainyard::agent {

// Everything to start one task.
struct Launch {
  ProcessSpec process;
  LogSource log;
};

// Writes below the agent's work directory:
//   tasks/<task_uid>/assignment   0600, what the task is told
//   tasks/<task_uid>/output       what it prints
//   tasks/<task_uid>/scratch/     its own, TMPDIR
// Owns the directory as long as it lives. Methods of different tasks may run on different threads.
class Launcher {
 public:
  // `binary_dir`: where the agent's own program lies; nothing else is ever started.
  Launcher(const AgentConfig& config, std::string binary_dir);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // Takes the work directory for this process and removes what tasks of earlier agents left, but
  // for what they printed: that is returned, to be shipped and then removed. FailedPrecondition:
  // another agent is alive in it.
  absl::StatusOr<std::vector<LogSource>> TakeWorkDirectory();

  // Makes the files. InvalidArgument: a program that is not on the list, or a bad assignment.
  absl::StatusOr<Launch> Prepare(const DesiredTask& task);

  // Removes the files.
  void Remove(uint64_t task_uid);

  // The last line a task printed, for messages; empty when there is nothing.
  std::string LastLine(uint64_t task_uid) const;

 private:
  std::string Directory(uint64_t task_uid) const;
  std::vector<std::string> Environment(const std::string& scratch_dir,
                                       const std::vector<std::string>& gpus) const;

  const AgentConfig config_;
  const std::string binary_dir_;
  int lock_fd_ = -1;
};

}  // namespace trainyard::agent

#endif  // TRAINYARD_AGENT_LAUNCHER_H_
