#include "agent/launcher.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/atomic_file.h"
#include "base/log.h"
#include "base/status.h"
#include "trainyard/v1/task.pb.h"

namespace trainyard::agent {
namespace {

namespace fs = std::filesystem;

// Everything an agent may start. Permission to submit a job is not permission to run a program.
constexpr std::array<absl::string_view, 6> kBinaries = {
    "trainyard-worker", "trainyard-rollout", "trainyard-reward",
    "trainyard-eval",   "trainyard-ppo",     "trainyard-fake-task"};
// What tasks inherit of the agent's environment.
constexpr std::array<absl::string_view, 6> kInherited = {"PATH", "HOME",   "LANG",
                                                         "TZ",   "LC_ALL", "LD_LIBRARY_PATH"};
constexpr int64_t kTailBytes = 4096;
constexpr size_t kLongestLine = 400;

// A new file that only this user can read.
absl::Status WritePrivateFile(const std::string& path, const std::string& bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, path);
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t wrote = write(fd, bytes.data() + written, bytes.size() - written);
    if (wrote < 0 && errno != EINTR) {
      const absl::Status status = ErrnoStatus(errno, path);
      close(fd);
      return status;
    }
    written += std::max<ssize_t>(wrote, 0);
  }
  if (close(fd) != 0) return ErrnoStatus(errno, path);
  return absl::OkStatus();
}

// Whose output lies in the directory of a task; nothing when nobody could tell or it is empty.
std::optional<LogSource> LeftIn(const fs::path& directory) {
  std::error_code error;
  LogSource source;
  source.path = (directory / "output").string();
  if (fs::file_size(source.path, error) == 0 || error) return std::nullopt;
  const absl::StatusOr<std::string> bytes = ReadFile((directory / "assignment").string());
  v1::TaskAssignment assignment;
  if (!bytes.ok() || !assignment.ParseFromString(*bytes)) return std::nullopt;
  source.task_uid = assignment.task_uid();
  source.job_id = assignment.job_id();
  source.attempt = assignment.attempt();
  source.task = absl::StrCat(assignment.role(), "/", assignment.index());
  source.of_earlier_agent = true;
  if (directory.filename() != absl::StrCat(source.task_uid)) return std::nullopt;
  return source;
}

// The directory of tasks as a new agent wants it: the output of earlier tasks, without the rest.
absl::StatusOr<std::vector<LogSource>> SortOut(const fs::path& tasks) {
  std::vector<LogSource> left;
  std::error_code error;
  fs::create_directories(tasks, error);
  if (!error) fs::permissions(tasks, fs::perms::owner_all, error);
  std::vector<fs::path> directories;
  for (const auto& entry : fs::directory_iterator(tasks, error)) {
    directories.push_back(entry.path());
  }
  for (const fs::path& directory : directories) {
    std::optional<LogSource> source = LeftIn(directory);
    if (!error) fs::remove_all(source.has_value() ? directory / "scratch" : directory, error);
    if (source.has_value()) left.push_back(*std::move(source));
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("work_dir: ", tasks.string()));
  return left;
}

}  // namespace

Launcher::Launcher(const AgentConfig& config, std::string binary_dir)
    : config_(config), binary_dir_(std::move(binary_dir)) {}

Launcher::~Launcher() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::StatusOr<std::vector<LogSource>> Launcher::TakeWorkDirectory() {
  TY_RETURN_IF_ERROR(Annotate(MakeDirectories(config_.work_dir), "work_dir"));
  const std::string lock = absl::StrCat(config_.work_dir, "/lock");
  lock_fd_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) return ErrnoStatus(errno, lock);
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "work_dir ", config_.work_dir, " belongs to another agent that is alive (", lock,
        " is locked); stop it, or give this one a directory of its own"));
  }
  return SortOut(absl::StrCat(config_.work_dir, "/tasks"));
}

absl::StatusOr<Launch> Launcher::Prepare(const DesiredTask& task) {
  if (std::find(kBinaries.begin(), kBinaries.end(), task.binary) == kBinaries.end()) {
    return absl::InvalidArgumentError(absl::StrCat("an agent does not start \"", task.binary,
                                                   "\"; it starts ",
                                                   absl::StrJoin(kBinaries, ", ")));
  }
  v1::TaskAssignment assignment;
  if (!assignment.ParseFromString(task.assignment)) {
    return absl::InvalidArgumentError("the assignment does not parse");
  }
  const std::string directory = Directory(task.task_uid);
  const std::string scratch_dir = absl::StrCat(directory, "/scratch");
  assignment.set_coordinator(config_.coordinator);
  assignment.set_advertise(config_.advertise);
  assignment.set_node(config_.node);
  assignment.set_task_ports(config_.task_ports);
  assignment.set_scratch_dir(scratch_dir);
  assignment.mutable_root_paths()->insert(config_.roots.begin(), config_.roots.end());
  assignment.clear_gpus();
  for (const std::string& gpu : task.gpus) assignment.add_gpus(gpu);

  std::error_code error;
  fs::create_directories(scratch_dir, error);
  if (error) return ErrnoStatus(error.value(), scratch_dir);
  const std::string file = absl::StrCat(directory, "/assignment");
  TY_RETURN_IF_ERROR(WritePrivateFile(file, assignment.SerializeAsString()));

  Launch launch;
  const std::string name = absl::StrCat(assignment.role(), "/", assignment.index());
  launch.process.task_uid = task.task_uid;
  launch.process.name = absl::StrCat(name, " of job ", assignment.job_id(), " on ", config_.node);
  launch.process.binary = absl::StrCat(binary_dir_, "/", task.binary);
  launch.process.args = {"--assignment", file};
  launch.process.environment = Environment(scratch_dir, task.gpus);
  launch.process.output_file = absl::StrCat(directory, "/output");
  launch.log = {task.task_uid, assignment.job_id(), assignment.attempt(), name,
                launch.process.output_file};
  return launch;
}

void Launcher::Remove(uint64_t task_uid) {
  std::error_code error;
  fs::remove_all(Directory(task_uid), error);
  if (error) Log().warn("cannot remove {}: {}", Directory(task_uid), error.message());
}

std::string Launcher::LastLine(uint64_t task_uid) const {
  std::ifstream file(absl::StrCat(Directory(task_uid), "/output"), std::ios::ate);
  const int64_t size = file ? static_cast<int64_t>(file.tellg()) : 0;
  file.seekg(std::max<int64_t>(0, size - kTailBytes));
  std::string line, last;
  while (std::getline(file, line)) {
    // What the log shipper has freed reads as zeros.
    line.erase(std::remove(line.begin(), line.end(), '\0'), line.end());
    if (!absl::StripAsciiWhitespace(line).empty()) last = line;
  }
  return last.substr(0, kLongestLine);
}

std::string Launcher::Directory(uint64_t task_uid) const {
  return absl::StrCat(config_.work_dir, "/tasks/", task_uid);
}

std::vector<std::string> Launcher::Environment(const std::string& scratch_dir,
                                               const std::vector<std::string>& gpus) const {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const auto inherited = [entry](absl::string_view name) {
      return absl::StartsWith(*entry, absl::StrCat(name, "="));
    };
    if (absl::c_any_of(kInherited, inherited)) environment.emplace_back(*entry);
  }
  environment.push_back(absl::StrCat("TMPDIR=", scratch_dir));
  // Without devices of its own a task sees none.
  environment.push_back(absl::StrCat("CUDA_VISIBLE_DEVICES=", absl::StrJoin(gpus, ",")));
  for (const auto& [name, value] : config_.collective_env) {
    environment.push_back(absl::StrCat(name, "=", value));
  }
  return environment;
}

}  // namespace trainyard::agent
