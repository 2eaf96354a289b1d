// trainyard-exec: the last step between the agent and a task. Small and single-threaded, so that
// everything a fork of the agent must not do is done here:
//
//   trainyard-exec PARENT_PID OUTPUT_FILE BINARY [ARGUMENT...]
//
// makes a process group, ties its life to the thread of the agent that started it, and becomes
// BINARY. Exits with 126 or 127 and a line in OUTPUT_FILE when it can not.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kCannotPrepare = 126;
constexpr int kCannotExec = 127;

[[noreturn]] void Fail(int code, const char* what) {
  std::fprintf(stderr, "trainyard-exec: %s: %s\n", what, std::strerror(errno));
  _exit(code);
}

void RedirectOutput(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) {
    Fail(kCannotPrepare, path);
  }
  close(fd);
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) Fail(kCannotPrepare, "/dev/null");
  close(null);
}

void SetLimits() {
  const rlimit no_core = {0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) Fail(kCannotPrepare, "RLIMIT_CORE");
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) Fail(kCannotPrepare, "RLIMIT_NOFILE");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) Fail(kCannotPrepare, "RLIMIT_NOFILE");
}

void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, nullptr) != 0) Fail(kCannotPrepare, "sigprocmask");
  signal(SIGPIPE, SIG_DFL);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: trainyard-exec PARENT_PID OUTPUT_FILE BINARY [ARGUMENT...]\n");
    return kCannotPrepare;
  }
  RedirectOutput(argv[2]);
  if (setpgid(0, 0) != 0) Fail(kCannotPrepare, "setpgid");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) Fail(kCannotPrepare, "PR_SET_PDEATHSIG");
  // The agent may have died before the line above: then nobody would ever send that signal.
  if (getppid() != std::atoi(argv[1])) {
    std::fprintf(stderr, "trainyard-exec: the agent (pid %s) is gone\n", argv[1]);
    return kCannotPrepare;
  }
  SetLimits();
  ResetSignals();
  execv(argv[3], argv + 3);
  Fail(kCannotExec, argv[3]);
}
