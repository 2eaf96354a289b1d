#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/ids.h"

namespace trainyard {
namespace {

class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest()
      : directory_((std::filesystem::temp_directory_path() / RandomId("atomic-file")).string()) {
    std::filesystem::create_directory(directory_);
  }
  ~AtomicFileTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return absl::StrCat(directory_, "/", name); }
  int FileCount() const {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_)) {
      ++count;
    }
    return count;
  }

  const std::string directory_;
};

TEST_F(AtomicFileTest, WritesAndReplacesWholeFiles) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "one").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("a"), std::string("two\0three", 9)).ok());
  EXPECT_EQ(*ReadFile(Path("a")), std::string("two\0three", 9));
  EXPECT_EQ(FileCount(), 1);
}

TEST_F(AtomicFileTest, AFailedWriteLeavesTheOldFileAndNoOther) {
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "old").ok());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4096, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status written = WriteFileAtomically(Path("a"), std::string(100'000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(written.ok());
  EXPECT_EQ(*ReadFile(Path("a")), "old");
  EXPECT_EQ(FileCount(), 1);
}

TEST_F(AtomicFileTest, AMissingFileIsNotFoundByName) {
  const auto read = ReadFile(Path("absent"));
  EXPECT_EQ(read.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(read.status().message().find("absent"), std::string::npos);
}

TEST_F(AtomicFileTest, MakesParentsAndAcceptsWhatIsThere) {
  ASSERT_TRUE(MakeDirectories(Path("x/y/z")).ok());
  ASSERT_TRUE(MakeDirectories(Path("x/y/z")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(Path("x/y/z")));
  ASSERT_TRUE(WriteFileAtomically(Path("file"), "").ok());
  EXPECT_FALSE(MakeDirectories(Path("file")).ok());
}

}  // namespace
}  // namespace trainyard
