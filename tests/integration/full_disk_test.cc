// Full disks under real processes: what was acknowledged stays, what can not be done is refused
// with the cause, and room is all it takes to go on. The small file systems are tmpfs; where this
// process may not mount any, not even in a user namespace of its own, the tests are skipped.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "base/atomic_file.h"
#include "rpc/call.h"
#include "tests/support/cluster.h"

namespace trainyard::testing {
namespace {

using ::testing::HasSubstr;
constexpr absl::Duration kLong = absl::Seconds(60);
constexpr absl::Duration kStep = absl::Milliseconds(20);

// Mounting, by right or as root of a user namespace. Before any thread is started.
bool GainMounts() {
  if (unshare(CLONE_NEWNS) == 0) {
    return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  const uid_t uid = getuid();
  const gid_t gid = getgid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  const auto write = [](const char* path, const std::string& text) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == ssize_t(text.size());
    close(fd);
    return written;
  };
  return write("/proc/self/setgroups", "deny") &&
         write("/proc/self/uid_map", absl::Substitute("0 $0 1", uid)) &&
         write("/proc/self/gid_map", absl::Substitute("0 $0 1", gid));
}

// A file system of so many bytes.
class SmallDisk {
 public:
  explicit SmallDisk(int64_t size_bytes) {
    const std::string options = absl::StrCat("size=", size_bytes);
    mounted_ = mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(dir_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const std::string& path() const { return dir_.path(); }

  // Takes every byte that is left, but for so many.
  void Fill(int64_t leave_bytes = 0) {
    const int fd = open(Ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0) << std::strerror(errno);
    const std::string block(4096, 'x');
    while (write(fd, block.data(), block.size()) > 0) {
    }
    ASSERT_EQ(errno, ENOSPC) << std::strerror(errno);
    const off_t size = lseek(fd, 0, SEEK_END);
    ASSERT_EQ(ftruncate(fd, std::max<off_t>(0, size - leave_bytes)), 0) << std::strerror(errno);
    close(fd);
  }
  void Free() { unlink(Ballast().c_str()); }

 private:
  std::string Ballast() const { return dir_.File("ballast"); }

  TempDir dir_;
  bool mounted_ = false;
};

class FullDiskTest : public ::testing::Test {
 protected:
  void Start(const ClusterOptions& options) {
    auto cluster = Cluster::Start(options);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
  }

  std::string ReadOnlyReason() {
    const auto status = rpc::Call(cluster_->nodes(), &v1::ClusterService::Stub::GetClusterStatus,
                                  v1::GetClusterStatusRequest(), {.timeout = absl::Seconds(10)});
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->read_only_reason() : "";
  }

  // One try; what was acknowledged is kept in mind.
  absl::Status Submit(const std::string& name) {
    v1::SubmitJobRequest request;
    request.set_request_id(name);
    *request.mutable_spec() = FakeJob(name, 5, kStep);
    const auto job = rpc::Call(cluster_->jobs(), &v1::JobService::Stub::SubmitJob, request,
                               {.timeout = absl::Seconds(10)});
    if (job.ok()) acknowledged_.push_back(job->id());
    return job.status();
  }

  void ExpectAllAcknowledgedSucceed() {
    for (const std::string& id : acknowledged_) {
      const auto done = cluster_->WaitForState(id, v1::SUCCEEDED, kLong);
      EXPECT_TRUE(done.ok()) << id << ": " << done.status() << cluster_->Logs();
    }
  }

  std::unique_ptr<Cluster> cluster_;
  std::vector<std::string> acknowledged_;
};

TEST_F(FullDiskTest, ACoordinatorWithoutSpaceTakesNoNewWorkLosesNothingAndGoesOnWhenThereIsRoom) {
  SmallDisk disk(32 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small file system: " << std::strerror(errno);
  Start({.state_dir = disk.path()});
  ASSERT_TRUE(Submit("before").ok());
  const auto running = cluster_->Submit(FakeJob("running", 250, kStep));
  ASSERT_TRUE(running.ok()) << running.status();
  acknowledged_.push_back(running->id());
  const auto started = cluster_->WaitFor(running->id(), kLong, [](const v1::Job& job) {
    return job.current().state() == v1::RUNNING;
  });
  ASSERT_TRUE(started.ok()) << started.status();

  disk.Fill();
  absl::Status refused;
  EXPECT_TRUE(WaitUntil(kLong, [&] {
    refused = Submit(absl::StrCat("job-", acknowledged_.size()));
    return !refused.ok();
  }));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("takes no new jobs: no space left"));
  EXPECT_THAT(ReadOnlyReason(), HasSubstr("no space left"));
  // What runs ends as ever; what is queued waits.
  const auto ended = cluster_->WaitForState(running->id(), v1::SUCCEEDED, kLong);
  EXPECT_TRUE(ended.ok()) << ended.status();

  // A start without room for the reserve.
  disk.Fill(2 << 20);
  cluster_->coordinator().Kill();
  ASSERT_TRUE(cluster_->StartCoordinator().ok()) << cluster_->Logs();
  EXPECT_EQ(Submit("after-restart").code(), absl::StatusCode::kResourceExhausted);
  for (const std::string& id : acknowledged_) EXPECT_TRUE(cluster_->Get(id).ok()) << id;

  disk.Free();
  EXPECT_TRUE(WaitUntil(kLong, [&] { return ReadOnlyReason().empty(); })) << ReadOnlyReason();
  absl::Status again;
  EXPECT_TRUE(WaitUntil(kLong, [&] { return (again = Submit("room-again")).ok(); })) << again;
  ExpectAllAcknowledgedSucceed();
}

TEST_F(FullDiskTest, AnAgentWithoutSpaceIsNamedAsTheCauseAndWorksAgainWhenThereIsRoom) {
  SmallDisk disk(4 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small file system: " << std::strerror(errno);
  Start({.work_dir = disk.path()});
  ASSERT_TRUE(Submit("before").ok());
  ExpectAllAcknowledgedSucceed();

  disk.Fill();
  v1::JobSpec spec = FakeJob("no-room", 5, kStep);
  spec.set_max_attempts(1);
  const auto job = cluster_->Submit(spec);
  ASSERT_TRUE(job.ok()) << job.status();
  const auto failed = cluster_->WaitForState(job->id(), v1::FAILED, kLong);
  ASSERT_TRUE(failed.ok()) << failed.status() << cluster_->Logs();
  EXPECT_EQ(failed->end().class_(), v1::END_DISK_FULL) << failed->end().message();
  EXPECT_THAT(failed->end().message(), HasSubstr(disk.path()));

  disk.Free();
  ASSERT_TRUE(Submit("after").ok());
  ExpectAllAcknowledgedSucceed();
}

}  // namespace
}  // namespace trainyard::testing

int main(int argc, char** argv) {
  trainyard::testing::GainMounts();
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
