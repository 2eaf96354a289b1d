#include "coordinator/store_queries.h"

#include <gtest/gtest.h>

#include "coordinator/store_rows.h"
#include "tests/coordinator/sample_records.h"
#include "tests/coordinator/scratch_directory.h"

namespace trainyard::coordinator {
namespace {

TEST(StoreQueriesTest, PageKeysComeBackAndForeignOnesAreRefused) {
  const auto key = ParsePageKey(PageKey(17, "job-a~b"));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->first, 17);
  EXPECT_EQ(key->second, "job-a~b");
  for (const char* foreign : {"", "17", "x~y", "~"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParsePageKey(foreign).status())) << foreign;
  }
}

TEST(StoreQueriesTest, ValuesOfAFilterAreNeverTakenForSql) {
  ScratchDirectory directory;
  auto database = Database::Open(directory.path() + "/x.db", Database::Mode::kReadWrite);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(CreateTables(**database).ok());
  JobFilter filter;
  filter.name = "x' OR '1'='1";
  filter.labels = {{"a'; DROP TABLE jobs; --", "b"}};
  const auto page = QueryJobs(**database, filter, {});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->jobs.empty());
  EXPECT_TRUE(QueryJobs(**database, {}, {}).ok());
}

TEST(StoreQueriesTest, AReadLeavesNoSnapshotBehind) {
  ScratchDirectory directory;
  auto database = Database::Open(directory.path() + "/x.db", Database::Mode::kReadWrite);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(CreateTables(**database).ok());
  ASSERT_EQ(*BeginTerm(**database), 1);
  auto reader = Database::Open(directory.path() + "/x.db", Database::Mode::kReadOnly);
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(absl::IsNotFound(QueryJob(**reader, "job-1").status()));
  Batch batch;
  batch.term = 1;
  batch.revision = 1;
  batch.jobs = {SampleJob("job-1")};
  batch.jobs[0].created_revision = batch.jobs[0].revision = 1;
  ASSERT_TRUE(WriteBatch(**database, batch).ok());
  EXPECT_TRUE(QueryJob(**reader, "job-1").ok());
  EXPECT_EQ(QueryJobs(**reader, {}, {})->revision, 1);
}

}  // namespace
}  // namespace trainyard::coordinator
