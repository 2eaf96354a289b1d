#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/clock.h"
#include "base/status.h"

namespace trainyard::testing {
namespace {

namespace fs = std::filesystem;
constexpr absl::Duration kPoll = absl::Milliseconds(10);
constexpr size_t kTailBytes = 4000;

std::string MakeTemporaryDirectory() {
  std::string name = (fs::temp_directory_path() / "trainyard-test-XXXXXX").string();
  TY_CHECK(mkdtemp(name.data()) != nullptr);
  return name;
}

// argv or envp; the strings must outlive it.
std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void RunChild(const char* binary, char** argv, char** envp, int output_fd) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(output_fd, STDOUT_FILENO);
  dup2(output_fd, STDERR_FILENO);
  execve(binary, argv, envp);
  _exit(127);
}

}  // namespace

std::string BinaryPath(absl::string_view name) {
  if (absl::StrContains(name, '/')) return std::string(name);
  const char* directory = std::getenv("TRAINYARD_BIN_DIR");
  TY_CHECK(directory != nullptr);
  return absl::StrCat(directory, "/", name);
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const ProcessOptions& options) {
  const std::string binary = BinaryPath(options.binary);
  if (access(binary.c_str(), X_OK) != 0) return ErrnoStatus(errno, binary);
  auto process = std::unique_ptr<Process>(new Process);
  process->output_file_ = options.output_file;
  if (process->output_file_.empty()) {
    process->owns_output_ = true;
    process->output_file_ = absl::StrCat(MakeTemporaryDirectory(), "/output");
  }
  const int output_fd =
      open(process->output_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output_fd < 0) return ErrnoStatus(errno, process->output_file_);
  std::vector<std::string> args = {binary};
  args.insert(args.end(), options.args.begin(), options.args.end());
  std::vector<std::string> environment = options.environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  std::vector<char*> argv = Pointers(args);
  std::vector<char*> envp = Pointers(environment);
  process->pid_ = fork();
  if (process->pid_ == 0) RunChild(binary.c_str(), argv.data(), envp.data(), output_fd);
  close(output_fd);
  if (process->pid_ < 0) return ErrnoStatus(errno, "fork");
  setpgid(process->pid_, process->pid_);
  return process;
}

Process::~Process() {
  if (pid_ > 0) Kill();
  if (owns_output_) {
    std::error_code ignored;
    fs::remove_all(fs::path(output_file_).parent_path(), ignored);
  }
}

void Process::Signal(int signal) {
  if (!end_) kill(pid_, signal);
}

void Process::SignalGroup(int signal) { kill(-pid_, signal); }

bool Process::running() {
  if (end_) return false;
  int wait_status = 0;
  const pid_t reaped = waitpid(pid_, &wait_status, WNOHANG);
  if (reaped == pid_) Reap(wait_status);
  return !end_;
}

absl::StatusOr<ProcessEnd> Process::Wait(absl::Duration timeout) {
  if (!WaitUntil(timeout, [this] { return !running(); })) {
    const std::string output = Output();
    return absl::DeadlineExceededError(absl::StrCat(
        "process ", pid_, " still runs after ", absl::FormatDuration(timeout), "; its output:\n",
        output.substr(output.size() - std::min(output.size(), kTailBytes))));
  }
  return *end_;
}

void Process::Kill() {
  SignalGroup(SIGKILL);
  if (end_) return;
  int wait_status = 0;
  while (waitpid(pid_, &wait_status, 0) < 0 && errno == EINTR) {
  }
  Reap(wait_status);
}

std::string Process::Output() const {
  const absl::StatusOr<std::string> output = ReadFile(output_file_);
  return output.ok() ? *output : output.status().ToString();
}

absl::Status Process::WaitForOutput(absl::string_view text, absl::Duration timeout) {
  bool ended = false;
  const auto found = [&] {
    ended = !running();
    return absl::StrContains(Output(), text) || ended;
  };
  WaitUntil(timeout, found);
  const std::string output = Output();
  if (absl::StrContains(output, text)) return absl::OkStatus();
  const std::string tail = output.substr(output.size() - std::min(output.size(), kTailBytes));
  const std::string message = absl::StrCat("no \"", text, "\" in the output:\n", tail);
  return ended ? absl::FailedPreconditionError(message) : absl::DeadlineExceededError(message);
}

void Process::Reap(int wait_status) {
  ProcessEnd end;
  end.exited = WIFEXITED(wait_status);
  if (end.exited) end.exit_code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) end.signal = WTERMSIG(wait_status);
  end_ = end;
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  TY_CHECK(bind(fd, generic, length) == 0 && getsockname(fd, generic, &length) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

bool WaitUntil(absl::Duration timeout, const std::function<bool()>& condition) {
  const Clock& clock = Clock::Real();
  const absl::Duration end = clock.Monotonic() + timeout;
  while (!condition()) {
    if (clock.Monotonic() >= end) return false;
    const timespec pause = absl::ToTimespec(kPoll);
    nanosleep(&pause, nullptr);
  }
  return true;
}

TempDir::TempDir() : path_(MakeTemporaryDirectory()) {}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TempDir::File(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

}  // namespace trainyard::testing
