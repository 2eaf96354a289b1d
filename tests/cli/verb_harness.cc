#include "tests/cli/verb_harness.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/command_line.h"
#include "cli/spec_file.h"
#include "cli/text.h"

namespace trainyard::cli {
namespace {

void Flush() {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
}

// Sends `fd` to the file and gives what it was.
int Redirect(int fd, const std::string& path) {
  const int before = dup(fd);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  TY_CHECK(before >= 0 && file >= 0 && dup2(file, fd) == fd);
  close(file);
  return before;
}

void Restore(int before, int fd) {
  if (before < 0) return;
  dup2(before, fd);
  close(before);
}

int RunArguments(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv = {"trainyard"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return RunCommandLine(static_cast<int>(argv.size()), argv.data());
}

coordinator::CoreOptions Quick() {
  coordinator::CoreOptions options;
  options.lease = absl::Hours(1);  // the node of these tests sends no heartbeats
  options.pass_spacing = absl::ZeroDuration();
  options.first_cause_hold = absl::ZeroDuration();
  return options;
}

}  // namespace

std::string Ran::At(const std::string& pointer) const {
  const auto json = ParseJson(out, "the output");
  if (!json.ok()) return json.status().ToString();
  const Json::json_pointer place(pointer);
  if (!json->contains(place)) return absl::StrCat("nothing at ", pointer, " of ", out);
  const Json& value = (*json)[place];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Captured::Captured() {
  Flush();
  out_ = Redirect(STDOUT_FILENO, dir_.File("out"));
  err_ = Redirect(STDERR_FILENO, dir_.File("err"));
}

Captured::~Captured() {
  Release();
  if (::testing::Test::HasFailure()) Show();
}

void Captured::Release() {
  Flush();
  Restore(std::exchange(out_, -1), STDOUT_FILENO);
  Restore(std::exchange(err_, -1), STDERR_FILENO);
}

void Captured::Show() {
  Release();
  std::cout << "out:\n" << Out() << "err:\n" << Err() << std::flush;
}

std::string Captured::Out() const { return ReadFile(dir_.File("out")).value_or(""); }
std::string Captured::Err() const { return ReadFile(dir_.File("err")).value_or(""); }

RunningVerb::RunningVerb(std::vector<std::string> arguments)
    : thread_([this, arguments = std::move(arguments)] {
        code_ = RunArguments(arguments);
        Flush();
        ended_.Notify();
      }) {}

RunningVerb::~RunningVerb() {
  if (thread_.joinable()) End();
}

::testing::AssertionResult RunningVerb::Says(const std::string& text) const {
  if (testing::WaitUntil(kLimit, [&] { return absl::StrContains(captured_.Out(), text); })) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << captured_.Out() << captured_.Err();
}

Ran RunningVerb::End() {
  const bool ended = ended_.WaitForNotificationWithTimeout(kLimit);
  if (!ended) captured_.Show();
  TY_CHECK(ended);  // a thread that hangs can not be left behind
  thread_.join();
  return {code_, captured_.Out(), captured_.Err()};
}

v1::Artifact OutputAt(const std::string& name, const std::string& uri) {
  v1::Artifact output;
  output.set_name(name);
  output.set_type(name);
  output.set_uri(uri);
  output.set_manifest_sha256(std::string(64, 'a'));
  output.set_size_bytes(2048);
  return output;
}

Ran RunLine(const std::vector<std::string>& arguments) {
  const Captured captured;
  const int code = RunArguments(arguments);
  Flush();
  return {code, captured.Out(), captured.Err()};
}

VerbTest::VerbTest() {
  ConfigureLog("coordinator", "error");
  setenv("XDG_STATE_HOME", dir_.File("state-home").c_str(), 1);
  setenv("XDG_CONFIG_HOME", dir_.File("config-home").c_str(), 1);
  StartCoordinator("127.0.0.1:0");
  client_ = std::make_unique<Client>(address_);
}

VerbTest::~VerbTest() = default;

void VerbTest::StartCoordinator(const std::string& listen) {
  coordinator::Config config;
  config.state_dir = dir_.File("state");
  config.listen = listen;
  config.http = "";
  auto started = coordinator::Coordinator::Start(
      config, Quick(), Clock::Real(),
      [](const absl::Status& status) { ADD_FAILURE() << "the store failed: " << status; });
  TY_CHECK(started.ok());
  coordinator_ = *std::move(started);
  address_ = coordinator_->endpoint();
}

void VerbTest::RestartCoordinator() {
  coordinator_.reset();
  StartCoordinator(address_);
}

Ran VerbTest::Run(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"--coordinator", address_});
  return RunLine(arguments);
}

std::unique_ptr<RunningVerb> VerbTest::Start(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"--coordinator", address_});
  return std::make_unique<RunningVerb>(std::move(arguments));
}

std::string VerbTest::Submit(const std::string& yaml) {
  const auto spec = ParseSpec(yaml, "test.yaml", {});
  EXPECT_TRUE(spec.ok()) << spec.status();
  if (!spec.ok()) return "";
  if (const auto* job = std::get_if<v1::JobSpec>(&*spec)) {
    const auto submitted = client_->Submit(*job, false);
    EXPECT_TRUE(submitted.ok()) << submitted.status();
    return submitted.ok() ? submitted->id() : "";
  }
  const auto submitted = client_->Submit(std::get<v1::PipelineSpec>(*spec), false);
  EXPECT_TRUE(submitted.ok()) << submitted.status();
  return submitted.ok() ? submitted->id() : "";
}

v1::Job VerbTest::Job(const std::string& job) {
  const auto found = client_->GetJob(job);
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() ? *found : v1::Job();
}

::testing::AssertionResult VerbTest::Becomes(const std::string& job, v1::JobState state) {
  v1::JobState last = v1::JOB_STATE_UNSPECIFIED;
  const auto reached = [&] {
    last = Job(job).state();
    return last == state;
  };
  if (testing::WaitUntil(kLimit, reached)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << job << " is " << Name(last) << ", not " << Name(state);
}

FakeNode& VerbTest::node() {
  if (node_ == nullptr) node_ = std::make_unique<FakeNode>(address_, "node-a");
  return *node_;
}

std::string VerbTest::Succeeded(const std::string& job) {
  const std::string id = Submit(absl::StrCat("name: ", job, "\nfake: {steps: 3}\n"));
  const v1::Artifact model = OutputAt("model", absl::StrCat("root://runs/", job, "/model"));
  node().Succeed(id, "trainer/0", model);
  EXPECT_TRUE(Becomes(id, v1::SUCCEEDED));
  return id;
}

std::string VerbTest::Failed(const std::string& job) {
  const std::string id = Submit(absl::StrCat("name: ", job, "\nfake: {steps: 3}\n"));
  node().Exit(id, "trainer/0", v1::END_USER_ERROR, "rows are missing");
  EXPECT_TRUE(Becomes(id, v1::FAILED));
  return id;
}

void VerbTest::ExpectUnknownJobIsNamed(std::vector<std::string> arguments) const {
  const Ran ran = Run(std::move(arguments));
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(absl::StrContains(ran.err, "nobody")) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.err, "what to do: trainyard list shows")) << ran.err;
}

void VerbTest::ExpectMissing(const std::vector<std::string>& arguments,
                             const std::string& name) const {
  const Ran ran = Run(arguments);
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_TRUE(absl::StrContains(ran.err, absl::StrCat(name, " is required"))) << ran.err;
}

}  // namespace trainyard::cli
