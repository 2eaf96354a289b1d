#include "coordinator/log_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "tests/support/process.h"

namespace trainyard::coordinator {
namespace {

const LogStream kStream = {"job-a", 1, "trainer/0", 7};

class LogStoreTest : public ::testing::Test {
 protected:
  LogStoreOptions Options() { return {.directory = dir_.File("logs")}; }

  static absl::StatusOr<int64_t> Append(LogStore& store, int64_t offset, const std::string& bytes,
                                        const LogStream& stream = kStream) {
    absl::Notification done;
    absl::StatusOr<int64_t> result = absl::UnknownError("not told");
    store.Append({stream, offset, bytes}, [&](absl::StatusOr<int64_t> kept) {
      result = kept;
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  testing::TempDir dir_;
};

TEST_F(LogStoreTest, PiecesSentAgainAreKeptOnce) {
  LogStore store(Options());
  EXPECT_EQ(*Append(store, 0, "hello "), 6);
  EXPECT_EQ(*Append(store, 0, "hello "), 6);
  EXPECT_EQ(*Append(store, 3, "lo world"), 11);
  EXPECT_EQ(store.Read(kStream, 0, 100)->bytes, "hello world");
  EXPECT_EQ(store.Read(kStream, 6, 3)->bytes, "wor");
  EXPECT_EQ(store.Read(kStream, 6, 3)->next, 9);
  EXPECT_EQ(store.Read(kStream, 11, 100)->bytes, "");
}

TEST_F(LogStoreTest, OutputOutlivesTheProcess) {
  { EXPECT_TRUE(Append(*std::make_unique<LogStore>(Options()), 0, "kept\n").ok()); }
  LogStore store(Options());
  EXPECT_EQ(store.Read(kStream, 0, 100)->bytes, "kept\n");
  EXPECT_EQ(*Append(store, 5, "more\n"), 10);
}

TEST_F(LogStoreTest, OverTheCapTheOldestGoesAndAReaderIsTold) {
  LogStoreOptions options = Options();
  options.segment_bytes = 10;
  options.max_stream_bytes = 30;
  LogStore store(options);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(store, i * 10, "0123456789").ok());
  const auto slice = store.Read(kStream, 0, 100);
  ASSERT_TRUE(slice.ok());
  EXPECT_EQ(slice->bytes, "[70 bytes of older output are not kept]\n0123456789");
  EXPECT_EQ(slice->offset, 70);
  EXPECT_EQ(slice->next, 80);
}

TEST_F(LogStoreTest, AGapIsTold) {
  LogStore store(Options());
  ASSERT_TRUE(Append(store, 0, "a").ok());
  ASSERT_TRUE(Append(store, 100, "b").ok());
  EXPECT_EQ(store.Read(kStream, 1, 100)->bytes, "[99 bytes of older output are not kept]\nb");
}

TEST_F(LogStoreTest, StreamsAreListedByRoleIndexAndProcess) {
  LogStore store(Options());
  ASSERT_TRUE(Append(store, 0, "x", {"job-a", 1, "rollout/10", 3}).ok());
  ASSERT_TRUE(Append(store, 0, "x", {"job-a", 1, "rollout/2", 9}).ok());
  ASSERT_TRUE(Append(store, 0, "x", {"job-a", 1, "rollout/2", 4}).ok());
  ASSERT_TRUE(Append(store, 0, "x", {"job-a", 2, "trainer/0", 5}).ok());
  const auto streams = store.Streams("job-a", 1);
  ASSERT_EQ(streams->size(), 3u);
  EXPECT_EQ((*streams)[0].task_uid, 4u);
  EXPECT_EQ((*streams)[1].task_uid, 9u);
  EXPECT_EQ((*streams)[2].task, "rollout/10");
  EXPECT_TRUE(store.Streams("job-b", 1)->empty());
}

TEST_F(LogStoreTest, NamesThatLeadOutsideAreRefused) {
  LogStore store(Options());
  for (const LogStream& stream :
       {LogStream{"../x", 1, "trainer/0", 1}, LogStream{"job", 1, "../x", 1},
        LogStream{"job", 1, "trainer", 1}, LogStream{"job", 1, "trainer/-1", 1}}) {
    EXPECT_EQ(Append(store, 0, "x", stream).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace trainyard::coordinator
