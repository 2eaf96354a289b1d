// A verb as its user runs it, in this process: the real command line against a real coordinator
// (gRPC on a free port, the store in a temporary directory). What runs tasks is a FakeNode.

#ifndef TRAINYARD_TESTS_CLI_VERB_HARNESS_H_
#define TRAINYARD_TESTS_CLI_VERB_HARNESS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "coordinator/service.h"
#include "tests/cli/fake_node.h"
#include "tests/support/process.h"

namespace trainyard::cli {

// The longest wait of these tests.
inline constexpr absl::Duration kLimit = absl::Seconds(20);

// Exit codes as docs/operations.md promises them to the shell.
enum Told {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 4,
  kRefused = 5,
  kJobFailed = 10,
  kJobCancelled = 11,
  kTimeOver = 12,
};

// What a verb left: its exit code, standard output and standard error.
struct Ran {
  int code = -1;
  std::string out;
  std::string err;

  // The value at a JSON pointer ("/jobs/0/state") of the output, texts without their quotes. What
  // is wrong when the output is no JSON or has no such place.
  std::string At(const std::string& pointer) const;
};

// Standard output and error of this process, kept in files for as long as it lives. Nothing is a
// terminal then. One at a time; when the test has failed by then, they are shown at the end.
class Captured {
 public:
  Captured();
  ~Captured();
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  std::string Out() const;
  std::string Err() const;
  // Ends it, and shows what there was.
  void Show();

 private:
  void Release();

  testing::TempDir dir_;
  int out_ = -1;  // where they went before
  int err_ = -1;
};

// A verb on a thread of its own.
class RunningVerb {
 public:
  explicit RunningVerb(std::vector<std::string> arguments);
  ~RunningVerb();
  RunningVerb(const RunningVerb&) = delete;
  RunningVerb& operator=(const RunningVerb&) = delete;

  // Waits until its standard output has `text`; what it has instead when it does not come.
  ::testing::AssertionResult Says(const std::string& text) const;
  // Waits for its end.
  Ran End();

 private:
  Captured captured_;
  int code_ = -1;
  absl::Notification ended_;
  std::thread thread_;
};

// An output of 2 KiB in this directory, as a task records it. Nothing is written.
v1::Artifact OutputAt(const std::string& name, const std::string& uri);

// The command line `trainyard ARGUMENTS...`.
Ran RunLine(const std::vector<std::string>& arguments);

// A coordinator, and the user's own directories (XDG_STATE_HOME, XDG_CONFIG_HOME) below dir().
class VerbTest : public ::testing::Test {
 protected:
  VerbTest();
  ~VerbTest() override;

  // The verb against the coordinator.
  Ran Run(std::vector<std::string> arguments) const;
  std::unique_ptr<RunningVerb> Start(std::vector<std::string> arguments) const;

  // ---- The cluster, without the verbs ----
  const std::string& address() const { return address_; }
  const testing::TempDir& dir() const { return dir_; }
  // The coordinator stops and starts again at its address.
  void RestartCoordinator();
  // Submits a job or a pipeline; its id.
  std::string Submit(const std::string& yaml);
  v1::Job Job(const std::string& job);
  // Waits until the job is in this state.
  ::testing::AssertionResult Becomes(const std::string& job, v1::JobState state);
  // The cluster's one node, "node-a", there from the first call on.
  FakeNode& node();
  // A job that its task ended well, with one output: the directory "root://runs/JOB/model".
  std::string Succeeded(const std::string& job);
  // A job whose task ended in an error of the user: "rows are missing".
  std::string Failed(const std::string& job);

  // What `verb` says of a job that is not there: its name, and how to see what there is.
  void ExpectUnknownJobIsNamed(std::vector<std::string> arguments) const;
  // An argument is missing: the usage says so, and nothing is done.
  void ExpectMissing(const std::vector<std::string>& arguments, const std::string& name) const;

 private:
  void StartCoordinator(const std::string& listen);

  testing::TempDir dir_;
  std::unique_ptr<coordinator::Coordinator> coordinator_;
  std::string address_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<FakeNode> node_;
};

}  // namespace trainyard::cli

#endif  // TRAINYARD_TESTS_CLI_VERB_HARNESS_H_
