#include "coordinator/store_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/sample_records.h"
#include "tests/coordinator/scratch_directory.h"

namespace trainyard::coordinator {
namespace {

class StoreRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto database = Database::Open(directory_.path() + "/x.db", Database::Mode::kReadWrite);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    ASSERT_TRUE(CreateTables(*database_).ok());
  }
  Batch BatchAt(int64_t revision) {
    Batch batch;
    batch.term = 1;
    batch.revision = revision;
    JobRecord job = SampleJob("job-1");
    job.created_revision = 1;
    job.revision = revision;
    batch.jobs = {job};
    return batch;
  }
  ScratchDirectory directory_;
  std::unique_ptr<Database> database_;
};

TEST_F(StoreRowsTest, TablesAreMadeOnce) {
  EXPECT_TRUE(CreateTables(*database_).ok());
  EXPECT_EQ(*BeginTerm(*database_), 1);
  EXPECT_EQ(*BeginTerm(*database_), 2);
}

TEST_F(StoreRowsTest, EveryBatchIsConditionalOnTermAndRevision) {
  ASSERT_EQ(*BeginTerm(*database_), 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteBatch(*database_, BatchAt(2))));
  ASSERT_TRUE(WriteBatch(*database_, BatchAt(1)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteBatch(*database_, BatchAt(1))));
  ASSERT_EQ(*BeginTerm(*database_), 2);
  const absl::Status stale = WriteBatch(*database_, BatchAt(2));
  EXPECT_TRUE(absl::IsFailedPrecondition(stale));
  EXPECT_THAT(stale.ToString(), testing::HasSubstr("term 2"));
}

TEST_F(StoreRowsTest, TheSpecIsWrittenOnce) {
  ASSERT_EQ(*BeginTerm(*database_), 1);
  ASSERT_TRUE(WriteBatch(*database_, BatchAt(1)).ok());
  ASSERT_TRUE(database_->Execute("UPDATE job_specs SET spec = 'kept'").ok());
  ASSERT_TRUE(WriteBatch(*database_, BatchAt(2)).ok());
  const auto snapshot = LoadSnapshot(*database_);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(*snapshot->jobs[0].spec, "kept");
}

TEST_F(StoreRowsTest, ADamagedRowIsNamed) {
  EXPECT_TRUE(absl::IsDataLoss(AssembleJob("nonsense", "{}", "").status()));
  const absl::Status shape = AssembleJob(R"({"id": "job-7"})", "nonsense", "").status();
  EXPECT_TRUE(absl::IsDataLoss(shape));
  EXPECT_THAT(shape.ToString(), testing::HasSubstr("job-7"));
}

}  // namespace
}  // namespace trainyard::coordinator
