#include "coordinator/watch_stream.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

using WatchStreamTest = ServiceTest;

TEST_F(WatchStreamTest, AWatchShowsASnapshotThenEveryChange) {
  ASSERT_TRUE(Submit(Named("a"), "r1").ok());
  const auto watch = OpenWatch(v1::WatchJobsRequest());
  v1::WatchJobsEvent event;
  ASSERT_TRUE(watch->Next(&event));
  EXPECT_EQ(event.job().spec().name(), "a");
  ASSERT_TRUE(watch->Next(&event));
  EXPECT_TRUE(event.synced());
  const int64_t synced = event.revision();
  ASSERT_TRUE(Submit(Named("b"), "r2").ok());
  ASSERT_TRUE(watch->Next(&event));
  EXPECT_EQ(event.job().spec().name(), "b");
  EXPECT_GT(event.revision(), synced);
}

TEST_F(WatchStreamTest, AWatchFromARevisionShowsOnlyWhatChangedSince) {
  ASSERT_TRUE(Submit(Named("a"), "r1").ok());
  const int64_t seen = List("", 1)->revision();
  ASSERT_TRUE(Submit(Named("b"), "r2").ok());
  v1::WatchJobsRequest request;
  request.set_revision(seen);
  const auto watch = OpenWatch(request);
  v1::WatchJobsEvent event;
  ASSERT_TRUE(watch->Next(&event));
  EXPECT_EQ(event.job().spec().name(), "b");
  ASSERT_TRUE(watch->Next(&event));
  EXPECT_TRUE(event.synced());
}

TEST_F(WatchStreamTest, AWatchFromTheFutureIsOutOfRange) {
  v1::WatchJobsRequest request;
  request.set_revision(1000000);
  const auto watch = OpenWatch(request);
  v1::WatchJobsEvent event;
  EXPECT_FALSE(watch->Next(&event));
  EXPECT_EQ(watch->Finish().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(WatchStreamTest, ASnapshotLargerThanAPageIsWhole) {
  constexpr int kJobs = 600;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < kJobs; i += 6) {
        EXPECT_TRUE(Submit(Named(absl::StrCat("j", i)), absl::StrCat("r", i)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto watch = OpenWatch(v1::WatchJobsRequest());
  std::set<std::string> names;
  v1::WatchJobsEvent event;
  while (watch->Next(&event) && !event.synced()) names.insert(event.job().spec().name());
  EXPECT_EQ(names.size(), static_cast<size_t>(kJobs));
}

TEST_F(WatchStreamTest, AWatcherThatReadsNothingIsCutOffAndHurtsNobody) {
  const auto slow = OpenWatch(v1::WatchJobsRequest());
  v1::WatchJobsEvent event;
  ASSERT_TRUE(slow->Next(&event) && event.synced());
  // Far more than the buffer and the transport's window hold.
  v1::JobSpec fat = Job(kFake);
  for (int i = 0; i < 60; ++i) {
    (*fat.mutable_labels())[absl::StrCat("l", i)] = std::string(250, 'x');
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 1600; i += 8) {
        v1::JobSpec spec = fat;
        spec.set_name(absl::StrCat("j", i));
        EXPECT_TRUE(Submit(spec, absl::StrCat("r", i)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (slow->Next(&event)) {
  }
  EXPECT_EQ(slow->Finish().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace trainyard::coordinator
