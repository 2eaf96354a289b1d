#include "coordinator/store_sqlite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "absl/synchronization/mutex.h"
#include "coordinator/store_database.h"
#include "tests/coordinator/sample_records.h"
#include "tests/coordinator/scratch_directory.h"
#include "tests/coordinator/store_conformance.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

// Waits for what the writer's thread tells.
class Durability {
 public:
  DurableListener Listener() {
    return [this](absl::StatusOr<int64_t> durable) {
      absl::MutexLock lock(&mutex_);
      if (durable.ok()) revision_ = *durable;
      if (!durable.ok()) status_ = durable.status();
    };
  }
  // DeadlineExceeded when neither the revision nor a failure came.
  absl::Status WaitFor(int64_t revision) {
    absl::MutexLock lock(&mutex_);
    const auto done = [&] { return revision_ >= revision || !status_.ok(); };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&done), absl::Seconds(30))) {
      return absl::DeadlineExceededError("the store said nothing");
    }
    return status_;
  }

 private:
  absl::Mutex mutex_;
  int64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

class SqliteFixture : public StoreFixture {
 public:
  SqliteFixture() { SqliteFixture::Reopen(); }
  Store& store() override { return *store_; }
  absl::Status Settle() override { return durability_->WaitFor(store_->durable_revision() + 1); }
  void Reopen() override {
    store_.reset();
    durability_ = std::make_unique<Durability>();
    SqliteStoreOptions options;
    options.state_dir = directory_.path() + "/state";
    options.on_durable = durability_->Listener();
    options.reserve_bytes = 1 << 20;
    auto store = OpenSqliteStore(std::move(options));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

 private:
  ScratchDirectory directory_;
  std::unique_ptr<Durability> durability_;
  std::unique_ptr<Store> store_;
};

std::unique_ptr<StoreFixture> MakeFixture() { return std::make_unique<SqliteFixture>(); }

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(&MakeFixture));

std::shared_ptr<const Batch> JobBatch(const Store& store, int64_t revision, size_t spec_bytes) {
  Batch batch;
  batch.term = store.term();
  batch.revision = revision;
  JobRecord job = SampleJob(absl::StrCat("job-", revision));
  job.created_revision = job.revision = revision;
  job.spec = std::make_shared<const std::string>(spec_bytes, 'x');
  batch.jobs = {job};
  return std::make_shared<const Batch>(batch);
}

std::shared_ptr<const Batch> ExitBatch(const Store& store, int64_t revision) {
  Batch batch;
  batch.term = store.term();
  batch.revision = revision;
  batch.tasks = {SampleTask(revision, "job-1", 1)};
  return std::make_shared<const Batch>(batch);
}

class SqliteStoreTest : public ::testing::Test {
 protected:
  SqliteStoreTest() {
    options_.state_dir = directory_.path();
    options_.on_durable = durability_.Listener();
  }

  ScratchDirectory directory_;
  Durability durability_;
  SqliteStoreOptions options_;
};

TEST_F(SqliteStoreTest, ASecondCoordinatorOnTheSameDirectoryIsRefusedByName) {
  const auto first = OpenSqliteStore(options_);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = OpenSqliteStore(options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("process ", getpid())));
}

TEST_F(SqliteStoreTest, NetworkFileSystemsAreKnown) {
  EXPECT_TRUE(IsNetworkFilesystem(0x6969));               // NFS
  EXPECT_TRUE(IsNetworkFilesystem(0x0BD00BD0));           // Lustre
  EXPECT_TRUE(IsNetworkFilesystem(int64_t{0xFF534D42}));  // CIFS
  EXPECT_FALSE(IsNetworkFilesystem(0xEF53));              // ext4
  EXPECT_FALSE(IsNetworkFilesystem(0x58465342));          // XFS
}

TEST_F(SqliteStoreTest, AFullDiskTakesNoNewWorkButExitsAreStillRecorded) {
  options_.reserve_bytes = 1 << 20;
  options_.max_size_bytes = 2 << 20;
  auto store = OpenSqliteStore(options_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->read_only_reason(), "");
  int64_t revision = 0;
  while ((*store)->read_only_reason().empty() && revision < 100) {
    (*store)->Write(JobBatch(**store, ++revision, 64 << 10));
    ASSERT_TRUE(durability_.WaitFor(revision).ok()) << "the batch that filled the disk is kept";
  }
  EXPECT_THAT((*store)->read_only_reason(), HasSubstr("no space"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/reserve"));
  for (int i = 0; i < 50; ++i) {
    (*store)->Write(ExitBatch(**store, ++revision));
    ASSERT_TRUE(durability_.WaitFor(revision).ok());
  }
  while (revision < 200) {
    (*store)->Write(JobBatch(**store, ++revision, 64 << 10));
    const absl::Status status = durability_.WaitFor(revision);
    if (status.ok()) continue;
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << "without reserve it is fatal: " << status;
    break;
  }
  const int64_t durable = (*store)->durable_revision();
  store->reset();
  options_.max_size_bytes = 0;
  Durability after;
  options_.on_durable = after.Listener();
  const auto reopened = OpenSqliteStore(options_);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ((*reopened)->durable_revision(), durable) << "nothing acknowledged is lost";
  EXPECT_EQ((*reopened)->read_only_reason(), "");
}

TEST_F(SqliteStoreTest, ADatabaseOfANewerVersionIsRefused) {
  ASSERT_TRUE(OpenSqliteStore(options_).ok());
  {
    auto database = Database::Open(directory_.path() + "/state.db", Database::Mode::kReadWrite);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version = 1000").ok());
  }
  const auto refused = OpenSqliteStore(options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("1000"));
}

TEST_F(SqliteStoreTest, ATermThatAnotherTookOverWritesNothingMore) {
  auto store = OpenSqliteStore(options_);
  ASSERT_TRUE(store.ok());
  {
    auto database = Database::Open(directory_.path() + "/state.db", Database::Mode::kReadWrite);
    ASSERT_TRUE((*database)->Execute("UPDATE meta SET value = value + 1 WHERE key = 'term'").ok());
  }
  (*store)->Write(JobBatch(**store, 1, 10));
  EXPECT_TRUE(absl::IsFailedPrecondition(durability_.WaitFor(1)));
  EXPECT_FALSE((*store)->GetJob("job-1").ok());
}

TEST_F(SqliteStoreTest, WhatIsQueuedIsWrittenBeforeTheStoreIsGone) {
  {
    auto store = OpenSqliteStore(options_);
    ASSERT_TRUE(store.ok());
    for (int64_t revision = 1; revision <= 200; ++revision) {
      (*store)->Write(JobBatch(**store, revision, 100));
    }
  }
  EXPECT_TRUE(durability_.WaitFor(200).ok());
  const auto reopened = OpenSqliteStore(options_);
  ASSERT_TRUE(reopened.ok());
  EXPECT_EQ((*reopened)->durable_revision(), 200);
}

}  // namespace
}  // namespace trainyard::coordinator
