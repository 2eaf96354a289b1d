#include "agent/processes.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"

namespace trainyard::agent {
namespace {

// trainyard-exec's own exit codes.
constexpr int kCannotPrepare = 126;
constexpr int kCannotExec = 127;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Kills for lack of memory since the machine's start; 0 where the kernel does not tell.
int64_t OutOfMemoryKills() {
  std::ifstream vmstat("/proc/vmstat");
  std::string name;
  int64_t value = 0;
  while (vmstat >> name >> value) {
    if (name == "oom_kill") return value;
  }
  return 0;
}

std::string Mebibytes(int64_t bytes) {
  return absl::StrFormat("%.0f MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

Processes::Processes(std::string exec_path, Callbacks callbacks)
    : exec_path_(std::move(exec_path)),
      callbacks_(std::move(callbacks)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Run(); }) {
  TY_CHECK(wake_fd_ >= 0);
}

Processes::~Processes() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_fd_, 1);
  thread_.join();
  close(wake_fd_);
}

void Processes::Start(ProcessSpec spec) { Post(std::move(spec)); }

void Processes::Signal(uint64_t task_uid, bool kill) { Post(SignalOrder{task_uid, kill}); }

void Processes::Post(Order order) {
  {
    absl::MutexLock lock(&mutex_);
    orders_.push_back(std::move(order));
  }
  eventfd_write(wake_fd_, 1);
}

void Processes::Run() {
  while (WaitForNews()) {
    std::vector<Order> orders;
    {
      absl::MutexLock lock(&mutex_);
      orders.swap(orders_);
    }
    for (const Order& order : orders) {
      std::visit([this](const auto& o) { Obey(o); }, order);
    }
    ReapEnded();
  }
  for (auto& [pid, child] : children_) {
    ::kill(-pid, SIGKILL);
    child.killed = true;
  }
  for (const auto& [pid, child] : std::exchange(children_, {})) Reap(pid, child);
}

bool Processes::WaitForNews() {
  std::vector<pollfd> fds = {{wake_fd_, POLLIN, 0}};
  for (const auto& [pid, child] : children_) fds.push_back({child.pid_fd, POLLIN, 0});
  poll(fds.data(), fds.size(), -1);
  eventfd_t ignored = 0;
  eventfd_read(wake_fd_, &ignored);
  absl::MutexLock lock(&mutex_);
  return !stopping_;
}

void Processes::Obey(const ProcessSpec& spec) {
  std::vector<std::string> args = {exec_path_, absl::StrCat(getpid()), spec.output_file,
                                   spec.binary};
  args.insert(args.end(), spec.args.begin(), spec.args.end());
  const int64_t oom_kills_before = OutOfMemoryKills();
  pid_t pid = 0;
  const int error = posix_spawn(&pid, exec_path_.c_str(), nullptr, nullptr, Pointers(args).data(),
                                Pointers(spec.environment).data());
  // By number: the C library's header declares it without extern "C".
  const int pid_fd = error == 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1;
  if (pid_fd < 0) {
    EndReason end;
    end.end_class = EndClass::kInternal;
    end.message = absl::StrCat(spec.name, " could not be started: ", exec_path_, ": ",
                               std::strerror(error != 0 ? error : errno));
    if (error == 0) {
      ::kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    callbacks_.on_ended(spec.task_uid, end);
    return;
  }
  children_[pid] = {spec.task_uid, spec.name, pid_fd, false, false, oom_kills_before};
  callbacks_.on_started(spec.task_uid, pid);
}

void Processes::Obey(const SignalOrder& order) {
  for (auto& [pid, child] : children_) {
    if (child.task_uid != order.task_uid) continue;
    (order.kill ? child.killed : child.terminated) = true;
    // A child that is not yet a group leader is still trainyard-exec, and dies by its pid.
    if (order.kill && ::kill(-pid, SIGKILL) == 0) return;
    ::kill(pid, order.kill ? SIGKILL : SIGTERM);
    // A stopped task must be able to hear.
    ::kill(pid, SIGCONT);
  }
}

void Processes::ReapEnded() {
  std::vector<pid_t> ended;
  for (const auto& [pid, child] : children_) {
    siginfo_t seen = {};
    if (waitid(P_PID, pid, &seen, WEXITED | WNOHANG | WNOWAIT) == 0 && seen.si_pid == pid) {
      ended.push_back(pid);
    }
  }
  for (pid_t pid : ended) {
    const Child child = children_[pid];
    children_.erase(pid);
    Reap(pid, child);
  }
}

void Processes::Reap(pid_t pid, const Child& child) {
  // The zombie leader still holds the group's number, so this reaches only its own descendants.
  ::kill(-pid, SIGKILL);
  int wait_status = 0;
  rusage usage = {};
  while (wait4(pid, &wait_status, 0, &usage) < 0 && errno == EINTR) {
  }
  close(child.pid_fd);
  callbacks_.on_ended(child.task_uid,
                      Explain(child, wait_status, int64_t{usage.ru_maxrss} * 1024));
}

EndReason Processes::Explain(const Child& child, int wait_status, int64_t peak_rss_bytes) const {
  EndReason end;
  end.peak_rss_bytes = peak_rss_bytes;
  if (WIFEXITED(wait_status)) {
    end.exit_code = WEXITSTATUS(wait_status);
    end.end_class = EndClassOfExitCode(end.exit_code);
    end.message = absl::StrCat(child.name, " exited with code ", end.exit_code, " (",
                               EndClassName(end.end_class), ")");
    if (end.exit_code == kCannotPrepare || end.exit_code == kCannotExec) {
      end.message = absl::StrCat(child.name, " could not be started");
    }
    return end;
  }
  end.signal = WTERMSIG(wait_status);
  const std::string how = absl::StrCat(child.name, " was killed by signal ", end.signal, " (",
                                       strsignal(end.signal), ")");
  const std::string memory = absl::StrCat("largest memory ", Mebibytes(peak_rss_bytes));
  if (child.killed && end.signal == SIGKILL) {
    end.end_class = EndClass::kDrained;
    end.message = absl::StrCat(child.name, " did not stop in time and was killed; ", memory);
  } else if (child.terminated && end.signal == SIGTERM) {
    end.end_class = EndClass::kDrained;
    end.message = absl::StrCat(child.name, " was stopped");
  } else if (end.signal == SIGKILL && OutOfMemoryKills() > child.oom_kills_before) {
    end.end_class = EndClass::kOutOfMemory;
    end.message = absl::StrCat(how, " for lack of memory: ", memory,
                               "; ask for a node with more, or make the job smaller");
  } else {
    end.end_class = EndClass::kSignal;
    end.message = absl::StrCat(how, "; ", memory);
  }
  return end;
}

}  // namespace trainyard::agent
