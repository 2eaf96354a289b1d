// A program that `trainyard up` runs and that dies with it.

#ifndef TRAINYARD_CLI_CHILD_H_
#define TRAINYARD_CLI_CHILD_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace trainyard::cli {

// One child process in a process group of its own (the terminal's Ctrl-C is for `up` alone, which
// stops its children in order). The kernel kills it when the thread that started it ends, however
// it ends. One thread: main.
class Child {
 public:
  // Starts `argv` with standard output and error appended to `log_file`. NotFound names a program
  // that is not there.
  static absl::StatusOr<std::unique_ptr<Child>> Start(const std::vector<std::string>& argv,
                                                      const std::string& log_file);
  // KILL, when it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool Running();
  // "exited with code 1" or "was killed by signal 9"; empty while it runs.
  std::string End() const;
  // TERM; again after half of `patience`, KILL after all of it.
  void Stop(absl::Duration patience);
  const std::string& name() const { return name_; }

 private:
  Child(std::string name, pid_t pid) : name_(std::move(name)), pid_(pid) {}
  bool WaitFor(absl::Duration timeout);

  const std::string name_;
  const pid_t pid_;
  std::optional<int> wait_status_;
};

// Path of a program of ours: it lies beside this one.
absl::StatusOr<std::string> SiblingPath(const std::string& name);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_CHILD_H_
