#include "coordinator/store_reserve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/scratch_directory.h"

namespace trainyard::coordinator {
namespace {

class ReserveTest : public testing::Test {
 protected:
  void SetUp() override {
    auto database = Database::Open(directory_.path() + "/x.db", Database::Mode::kReadWrite);
    ASSERT_TRUE(database.ok());
    database_ = *std::move(database);
    ASSERT_TRUE(database_->Execute("CREATE TABLE t (x)").ok());
  }
  absl::Status Grow(int64_t bytes) {
    return database_->Execute("INSERT INTO t VALUES (zeroblob(" + std::to_string(bytes) + "))");
  }
  ScratchDirectory directory_;
  const std::string path_ = directory_.path() + "/reserve";
  std::unique_ptr<Database> database_;
};

TEST_F(ReserveTest, TheSpaceIsReallyTakenAndGivenOnce) {
  DiskReserve reserve({path_, 1 << 20, 0}, database_.get());
  EXPECT_NE(reserve.missing_reason(), "");
  reserve.Fill();
  EXPECT_EQ(reserve.missing_reason(), "");
  EXPECT_EQ(std::filesystem::file_size(path_), 1 << 20);
  EXPECT_TRUE(reserve.Release());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_THAT(reserve.missing_reason(), testing::HasSubstr("no space"));
  EXPECT_FALSE(reserve.Release());
  reserve.Fill();
  EXPECT_EQ(reserve.missing_reason(), "") << "there is room again";
}

TEST_F(ReserveTest, WithoutRoomTheReasonNamesPathAndSize) {
  DiskReserve reserve({directory_.path() + "/missing/reserve", 1 << 20, 0}, database_.get());
  reserve.Fill();
  EXPECT_THAT(reserve.missing_reason(), testing::HasSubstr("missing/reserve"));
  DiskReserve huge({path_, int64_t{1} << 60, 0}, database_.get());
  huge.Fill();
  EXPECT_THAT(huge.missing_reason(), testing::HasSubstr("free some space"));
  EXPECT_FALSE(std::filesystem::exists(path_)) << "nothing half taken stays behind";
}

TEST_F(ReserveTest, ALimitedDatabaseGrowsIntoItsReserveOnly) {
  DiskReserve reserve({path_, 1 << 20, 2 << 20}, database_.get());
  reserve.Fill();
  EXPECT_TRUE(absl::IsResourceExhausted(Grow(1200 << 10)));
  ASSERT_TRUE(reserve.Release());
  EXPECT_TRUE(Grow(1200 << 10).ok());
  reserve.Fill();
  EXPECT_THAT(reserve.missing_reason(), testing::HasSubstr("limit of 2 MiB"));
  ASSERT_TRUE(database_->Execute("DELETE FROM t").ok());
  reserve.Fill();
  EXPECT_EQ(reserve.missing_reason(), "");
}

}  // namespace
}  // namespace trainyard::coordinator
