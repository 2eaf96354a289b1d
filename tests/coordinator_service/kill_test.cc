// kill -9 of the real coordinator while a hundred submissions are in flight: whatever a client was
// told is still there afterwards.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/atomic_file.h"
#include "rpc/call.h"
#include "rpc/channel.h"
#include "tests/coordinator_service/spec_texts.h"
#include "tests/support/process.h"
#include "trainyard/v1/coordinator.grpc.pb.h"

namespace trainyard::coordinator {
namespace {

constexpr int kInFlight = 100;
constexpr int kRounds = 3;
constexpr absl::Duration kLimit = absl::Seconds(60);

// What clients were told: request id -> job id.
class Oracle {
 public:
  void Told(const std::string& request, const std::string& job) {
    absl::MutexLock lock(&mutex_);
    told_[request] = job;
  }
  std::map<std::string, std::string> told() const {
    absl::MutexLock lock(&mutex_);
    return told_;
  }
  size_t size() const { return told().size(); }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> told_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<v1::Job> Submit(v1::JobService::Stub& jobs, const std::string& request_id) {
  v1::SubmitJobRequest request;
  request.set_request_id(request_id);
  *request.mutable_spec() = Job(kFake, {"name=" + request_id});
  return rpc::Call(jobs, &v1::JobService::Stub::SubmitJob, request, {.timeout = kLimit});
}

class KillTest : public ::testing::Test {
 protected:
  void Start() {
    auto process =
        testing::Process::Start({.binary = "trainyard-coordinator",
                                 .args = {"--state-dir", dir_.File("state"), "--listen", address_,
                                          "--http", "", "--log-level", "warn"}});
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    ASSERT_TRUE(testing::WaitUntil(kLimit, [&] {
      return rpc::Call(*Stub(), &v1::JobService::Stub::ListJobs, v1::ListJobsRequest(),
                       {.timeout = absl::Seconds(5)})
          .ok();
    })) << process_->Output();
  }

  std::unique_ptr<v1::JobService::Stub> Stub() {
    return v1::JobService::NewStub(rpc::OpenChannel(address_));
  }

  testing::TempDir dir_;
  const std::string address_ = absl::StrCat("127.0.0.1:", testing::FreePort());
  std::unique_ptr<testing::Process> process_;
};

TEST_F(KillTest, NothingAcknowledgedIsLost) {
  Oracle oracle;
  for (int round = 0; round < kRounds; ++round) {
    Start();
    const size_t before = oracle.size();
    std::vector<std::thread> clients;
    for (int c = 0; c < kInFlight; ++c) {
      clients.emplace_back([&, c] {
        const auto jobs = Stub();
        for (int i = 0;; ++i) {
          const std::string request = absl::StrCat("r", round, "-", c, "-", i);
          const auto job = Submit(*jobs, request);
          if (!job.ok()) return;
          oracle.Told(request, job->id());
        }
      });
    }
    EXPECT_TRUE(testing::WaitUntil(kLimit, [&] { return oracle.size() > before + 500; }));
    process_->Kill();
    for (std::thread& client : clients) client.join();
  }
  Start();
  const auto jobs = Stub();
  for (const auto& [request, id] : oracle.told()) {
    v1::GetJobRequest get;
    get.set_job(id);
    const auto job = rpc::Call(*jobs, &v1::JobService::Stub::GetJob, get, {.timeout = kLimit});
    ASSERT_TRUE(job.ok()) << request << ": " << job.status();
    EXPECT_EQ(job->spec().name(), request);
  }
  // A client that does not know whether it was heard asks again and gets its one job.
  const auto [request, id] = *oracle.told().begin();
  EXPECT_EQ(Submit(*jobs, request)->id(), id);
}

}  // namespace
}  // namespace trainyard::coordinator
