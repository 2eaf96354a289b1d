// Real processes in tests: started, waited for, killed, and always reaped.

#ifndef TRAINYARD_TESTS_SUPPORT_PROCESS_H_
#define TRAINYARD_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trainyard::testing {

struct ProcessOptions {
  // Name of one of our programs ("trainyard-agent"), or a path.
  std::string binary;
  std::vector<std::string> args;
  // "NAME=value", added to the test's own environment.
  std::vector<std::string> environment;
  // Standard output and error together; empty = a temporary file.
  std::string output_file;
};

// How a process ended.
struct ProcessEnd {
  bool exited = false;  // else killed by `signal`
  int exit_code = 0;
  int signal = 0;
};

// One child process in a process group of its own. One thread. The destructor kills the group
// (KILL) and reaps it; the child also dies with the thread that started it.
class Process {
 public:
  static absl::StatusOr<std::unique_ptr<Process>> Start(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Sends a signal to the process alone, or to its group.
  void Signal(int signal);
  void SignalGroup(int signal);
  // Whether it still runs. Reaps it when not.
  bool running();
  // Waits for its end. DeadlineExceeded carries the tail of its output.
  absl::StatusOr<ProcessEnd> Wait(absl::Duration timeout);
  // KILL, and wait.
  void Kill();
  // Everything it wrote so far.
  std::string Output() const;
  // Waits until the output contains `text`. DeadlineExceeded, or FailedPrecondition when the
  // process ended without it; both carry the output's tail.
  absl::Status WaitForOutput(absl::string_view text, absl::Duration timeout);

 private:
  Process() = default;
  void Reap(int wait_status);

  pid_t pid_ = -1;
  std::string output_file_;
  bool owns_output_ = false;
  std::optional<ProcessEnd> end_;
};

// The path of one of our programs, as built beside the test (TRAINYARD_BIN_DIR).
std::string BinaryPath(absl::string_view name);

// A port on which nothing listens now.
int FreePort();

// Polls `condition` every 10 ms until it holds. False when `timeout` ran out.
bool WaitUntil(absl::Duration timeout, const std::function<bool()>& condition);

// A directory of its own, removed with all it holds.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;

 private:
  std::string path_;
};

}  // namespace trainyard::testing

#endif  // TRAINYARD_TESTS_SUPPORT_PROCESS_H_
