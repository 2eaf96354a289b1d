#include "coordinator/store_database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/coordinator/scratch_directory.h"

namespace trainyard::coordinator {
namespace {

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    auto database = Database::Open(path_, Database::Mode::kReadWrite);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    ASSERT_TRUE(database_->Execute("CREATE TABLE t (number INTEGER, text TEXT)").ok());
  }
  ScratchDirectory directory_;
  const std::string path_ = directory_.path() + "/x.db";
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, EveryCommitOfAWriterIsSynced) {
  EXPECT_EQ(*database_->QueryInt("PRAGMA synchronous"), 2) << "FULL";
  auto statement = database_->Prepare("PRAGMA journal_mode");
  ASSERT_TRUE(statement.ok());
  ASSERT_TRUE(*(*statement)->Step());
  EXPECT_EQ((*statement)->Text(0), "wal");
}

TEST_F(DatabaseTest, ValuesAreBoundInOrderAndBytesAreKept) {
  auto insert = database_->Prepare("INSERT INTO t VALUES (?, ?)");
  ASSERT_TRUE(insert.ok());
  const std::string bytes("a\0b'; DROP TABLE t", 18);
  ASSERT_TRUE((*insert)->Bind(7).BindBlob(bytes).Run().ok());
  EXPECT_EQ(database_->changes(), 1);
  auto select = database_->Prepare("SELECT text FROM t WHERE number = ?");
  ASSERT_TRUE(select.ok());
  (*select)->Bind(7);
  ASSERT_TRUE(*(*select)->Step());
  EXPECT_EQ((*select)->Text(0), bytes);
  EXPECT_FALSE(*(*select)->Step());
}

TEST_F(DatabaseTest, AReaderSeesWhatIsCommittedAndCanNotWrite) {
  auto reader = Database::Open(path_, Database::Mode::kReadOnly);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(database_->Execute("BEGIN; INSERT INTO t VALUES (1, 'a')").ok());
  EXPECT_EQ(*(*reader)->QueryInt("SELECT COUNT(*) FROM t"), 0);
  ASSERT_TRUE(database_->Execute("COMMIT").ok());
  EXPECT_EQ(*(*reader)->QueryInt("SELECT COUNT(*) FROM t"), 1);
  EXPECT_FALSE((*reader)->Execute("DELETE FROM t").ok());
}

TEST_F(DatabaseTest, ErrorsSayWhatIsWrong) {
  EXPECT_TRUE(absl::IsInternal(database_->Execute("SELEKT")));
  EXPECT_THAT(database_->Prepare("SELECT nothing FROM t").status().ToString(),
              testing::HasSubstr("nothing"));
  ASSERT_TRUE(database_->Execute("PRAGMA max_page_count = 3").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(
      database_->Execute("INSERT INTO t VALUES (1, hex(zeroblob(100000)))")));
}

TEST_F(DatabaseTest, AFileThatIsNoDatabaseIsDataLoss) {
  const std::string path = directory_.path() + "/garbage.db";
  std::ofstream(path) << std::string(8192, 'x');
  EXPECT_TRUE(absl::IsDataLoss(Database::Open(path, Database::Mode::kReadWrite).status()));
}

}  // namespace
}  // namespace trainyard::coordinator
