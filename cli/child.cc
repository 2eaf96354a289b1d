#include "cli/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/shutdown.h"
#include "base/status.h"

namespace trainyard::cli {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr int kCannotExec = 127;

// Between fork and exec: only what is safe there.
[[noreturn]] void BecomeProgram(char* const* argv, int log, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotExec);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(argv[0], argv);
  _exit(kCannotExec);
}

}  // namespace

absl::StatusOr<std::string> SiblingPath(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string path = (self.parent_path() / name).string();
  if (error || access(path.c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat(path, " is not there; build or install it beside ", "trainyard"));
  }
  return path;
}

absl::StatusOr<std::unique_ptr<Child>> Child::Start(const std::vector<std::string>& argv,
                                                    const std::string& log_file) {
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) return ErrnoStatus(errno, log_file);
  std::vector<char*> pointers;
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeProgram(pointers.data(), log, parent);
  const int error = errno;
  close(log);
  if (pid < 0) return ErrnoStatus(error, "fork");
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  return std::unique_ptr<Child>(new Child(name, pid));
}

Child::~Child() {
  if (!Running()) return;
  kill(-pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
}

bool Child::Running() {
  if (wait_status_.has_value()) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  wait_status_ = status;
  return false;
}

std::string Child::End() const {
  if (!wait_status_.has_value()) return "";
  if (WIFSIGNALED(*wait_status_)) {
    return absl::StrCat("was killed by signal ", WTERMSIG(*wait_status_));
  }
  return absl::StrCat("exited with code ", WEXITSTATUS(*wait_status_));
}

bool Child::WaitFor(absl::Duration timeout) {
  const absl::Time until = absl::Now() + timeout;
  while (Running()) {
    if (absl::Now() >= until) return false;
    // Stop signals that arrive meanwhile change nothing: we are stopping.
    WaitForStopSignal(kPoll);
  }
  return true;
}

void Child::Stop(absl::Duration patience) {
  for (int i = 0; i < 2; ++i) {
    if (!Running()) return;
    kill(pid_, SIGTERM);
    if (WaitFor(patience / 2)) return;
  }
  kill(-pid_, SIGKILL);
  WaitFor(absl::Seconds(5));
}

}  // namespace trainyard::cli
