#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/roots.h"
#include "base/shutdown.h"
#include "base/status.h"
#include "cli/child.h"
#include "cli/contexts.h"
#include "cli/local_cluster.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartLimit = absl::Seconds(30);
constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr absl::Duration kAgentPatience = absl::Seconds(16);
constexpr absl::Duration kCoordinatorPatience = absl::Seconds(10);
constexpr double kDrainSeconds = 5;
// A slot is one core's share for a task that computes; controllers ask a tenth of one and find
// their place besides.
constexpr int kSlotCpuMilli = 1000;
constexpr int kControllersCpuMilli = 500;

struct UpOptions {
  int slots = 2;
  std::string dir;
  std::vector<std::string> roots;
  std::string listen = kDefaultCoordinator;
  std::string http = "127.0.0.1:0";
  std::string node = "local";
};

// Holds the directory for the life of the process.
absl::Status LockDirectory(const std::string& dir) {
  const std::string path = absl::StrCat(dir, "/lock");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  close(fd);
  const auto address = ReadFile(absl::StrCat(dir, "/address"));
  return absl::FailedPreconditionError(absl::StrCat(
      "a cluster runs in ", dir, " already",
      address.ok() ? absl::StrCat(" (coordinator ", absl::StripAsciiWhitespace(*address), ")") : "",
      "; stop it first, or choose another directory (--dir)"));
}

// NAME=DIRECTORY pairs over the defaults data and runs below the cluster's directory.
absl::StatusOr<std::map<std::string, std::string>> MakeRoots(const UpOptions& options) {
  std::map<std::string, std::string> roots = {{"data", options.dir + "/roots/data"},
                                              {"runs", options.dir + "/roots/runs"}};
  TY_ASSIGN_OR_RETURN(const auto given, ParseRoots(options.roots));
  for (const auto& [name, directory] : given) roots[name] = directory;
  for (const auto& [name, directory] : roots) {
    TY_RETURN_IF_ERROR(MakeDirectories(directory));
    const std::string id_file = absl::StrCat(directory, "/", kClusterIdFile);
    if (!fs::exists(id_file)) {
      TY_RETURN_IF_ERROR(WriteFileAtomically(id_file, RandomId("root") + "\n"));
    }
  }
  return roots;
}

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

absl::Status WriteAgentConfig(const UpOptions& options, const std::string& coordinator,
                              const std::map<std::string, std::string>& roots) {
  std::string yaml =
      absl::StrCat("node: ", options.node, "\ncoordinator: ", coordinator,
                   "\nadvertise: 127.0.0.1\nwork_dir: ", Quoted(options.dir + "/agent"),
                   "\ncpu_milli: ", options.slots * kSlotCpuMilli + kControllersCpuMilli,
                   "\ndrain_seconds: ", kDrainSeconds, "\nroots:\n");
  for (const auto& [name, directory] : roots) {
    absl::StrAppend(&yaml, "  ", name, ": ", Quoted(directory), "\n");
  }
  TY_RETURN_IF_ERROR(MakeDirectories(options.dir + "/agent"));
  return WriteFileAtomically(options.dir + "/agent.yaml", yaml);
}

// The programs of a cluster on this machine, started in order and stopped in the other.
class LocalCluster {
 public:
  explicit LocalCluster(UpOptions options) : options_(std::move(options)) {}
  ~LocalCluster() {
    if (agent_ != nullptr) agent_->Stop(kAgentPatience);
    if (coordinator_ != nullptr) coordinator_->Stop(kCoordinatorPatience);
    ForgetLocalCluster(address_);
    std::error_code ignored;
    fs::remove(options_.dir + "/address", ignored);
  }
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  absl::Status Start() {
    TY_ASSIGN_OR_RETURN(const auto roots, MakeRoots(options_));
    TY_RETURN_IF_ERROR(StartCoordinator());
    TY_RETURN_IF_ERROR(WriteAgentConfig(options_, address_, roots));
    TY_RETURN_IF_ERROR(StartAgent());
    TY_RETURN_IF_ERROR(NoteLocalCluster(address_, roots));
    std::cout << "coordinator " << address_ << "\n"
              << "metrics     http://" << http_ << "/metrics\n"
              << "node        " << options_.node << ", " << options_.slots << " slots\n";
    for (const auto& [name, directory] : roots) {
      std::cout << "root        " << name << " = " << directory << "\n";
    }
    std::cout << "state       " << options_.dir << " (logs: coordinator.log, agent.log)\n"
              << "next        trainyard "
              << (address_ == kDefaultCoordinator ? "" : "--coordinator " + address_ + " ")
              << "submit examples/specs/fake.yaml; Ctrl-C stops everything\n"
              << std::flush;
    return absl::OkStatus();
  }

  // Empty while everything runs.
  std::string Broken() {
    for (Child* child : {coordinator_.get(), agent_.get()}) {
      if (!child->Running()) {
        return absl::StrCat(child->name(), " ", child->End(), "; see the logs in ", options_.dir);
      }
    }
    return "";
  }

 private:
  absl::Status StartCoordinator() {
    TY_ASSIGN_OR_RETURN(const std::string binary, SiblingPath("trainyard-coordinator"));
    const std::string address_file = options_.dir + "/address";
    const std::string http_file = options_.dir + "/http-address";
    std::error_code ignored;
    fs::remove(address_file, ignored);
    fs::remove(http_file, ignored);
    const std::string log = options_.dir + "/coordinator.log";
    TY_ASSIGN_OR_RETURN(coordinator_,
                        Child::Start({binary, "--state-dir", options_.dir + "/state", "--listen",
                                      options_.listen, "--http", options_.http, "--address-file",
                                      address_file, "--http-address-file", http_file,
                                      // No other machine will come to help.
                                      "--refuse-unplaceable"},
                                     log));
    // The HTTP address is written last.
    TY_RETURN_IF_ERROR(Await(*coordinator_, log, [&] { return fs::exists(http_file); }));
    TY_ASSIGN_OR_RETURN(address_, ReadFile(address_file));
    TY_ASSIGN_OR_RETURN(http_, ReadFile(http_file));
    absl::StripAsciiWhitespace(&address_);
    absl::StripAsciiWhitespace(&http_);
    return absl::OkStatus();
  }

  absl::Status StartAgent() {
    TY_ASSIGN_OR_RETURN(const std::string binary, SiblingPath("trainyard-agent"));
    const std::string log = options_.dir + "/agent.log";
    TY_ASSIGN_OR_RETURN(agent_,
                        Child::Start({binary, "--config", options_.dir + "/agent.yaml"}, log));
    Client client(address_);
    return Await(*agent_, log, [&] {
      const auto nodes = client.ListNodes();
      return nodes.ok() && nodes->nodes_size() > 0 && nodes->nodes(0).alive();
    });
  }

  // Until `ready`; an error with the log's last line when the child ends or time runs out.
  absl::Status Await(Child& child, const std::string& log, const std::function<bool()>& ready) {
    const absl::Time until = absl::Now() + kStartLimit;
    while (!ready()) {
      const std::string tail = LastLine(log);
      if (!child.Running()) {
        return absl::FailedPreconditionError(
            absl::StrCat(child.name(), " ", child.End(), ": ", tail, " (", log, ")"));
      }
      if (WaitForStopSignal(kPoll) != 0) return absl::CancelledError("stopped while starting");
      if (absl::Now() > until) {
        return absl::DeadlineExceededError(
            absl::StrCat(child.name(), " does not start: ", tail, " (", log, ")"));
      }
    }
    return absl::OkStatus();
  }

  static std::string LastLine(const std::string& file) {
    const auto text = ReadFile(file);
    if (!text.ok()) return "";
    const std::string body(absl::StripTrailingAsciiWhitespace(*text));
    return body.substr(body.rfind('\n') + 1);
  }

  const UpOptions options_;
  std::unique_ptr<Child> coordinator_;
  std::unique_ptr<Child> agent_;
  std::string address_;
  std::string http_;
};

absl::StatusOr<int> Up(UpOptions options) {
  if (options.dir.empty()) options.dir = StateDirectory();
  options.dir = fs::absolute(options.dir).string();
  TY_RETURN_IF_ERROR(MakeDirectories(options.dir));
  TY_RETURN_IF_ERROR(LockDirectory(options.dir));
  LocalCluster cluster(options);
  TY_RETURN_IF_ERROR(cluster.Start());
  while (WaitForStopSignal(absl::Milliseconds(500)) == 0) {
    const std::string broken = cluster.Broken();
    if (!broken.empty()) return absl::InternalError(broken);
  }
  std::cout << "stopping; what runs is kept and goes on with the next `trainyard up` here\n"
            << std::flush;
  return kExitOk;
}

}  // namespace

void AddUp(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "up",
                           "Run a whole cluster on this machine until Ctrl-C: coordinator, agent, "
                           "slots",
                           "trainyard up --slots 4 --root data=./my-data");
  const auto options = std::make_shared<UpOptions>();
  verb->add_option("--slots", options->slots, "computing tasks at the same time (one core each)")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  verb->add_option("--dir", options->dir,
                   "state, logs and runs (default: ~/.local/state/trainyard)");
  verb->add_option("--root", options->roots,
                   "NAME=DIRECTORY that specs may name as root://NAME/...; data and runs are "
                   "there by default")
      ->allow_extra_args(false);
  verb->add_option("--listen", options->listen, "address of the coordinator (port 0: any)")
      ->capture_default_str();
  verb->add_option("--http", options->http, "address of /metrics and /healthz")
      ->capture_default_str();
  SetBody(verb, globals, [options] { return Up(*options); });
}

}  // namespace trainyard::cli
