#include "checkpoint/new_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.h"

namespace trainyard::checkpoint {
namespace {

std::string FreshPath(const std::string& name) {
  const auto path = std::filesystem::path(::testing::TempDir()) / ("new_file_test_" + name);
  std::filesystem::remove(path);
  return path.string();
}

TEST(NewFileTest, RecordsSizeAndChecksumOfAllPieces) {
  const std::string path = FreshPath("pieces");
  const auto file = NewFile::Create(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append("hello ").ok());
  ASSERT_TRUE((*file)->Append(std::string(3'000'000, 'x')).ok());
  const auto record = (*file)->Finish();
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->size_bytes, 3'000'006u);
  EXPECT_EQ(record->xxh3, Xxh3Hex(ReadFile(path).value()));
}

TEST(NewFileTest, AFileThatWasNotFinishedIsRemoved) {
  const std::string path = FreshPath("dropped");
  { ASSERT_TRUE((*NewFile::Create(path))->Append("half").ok()); }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(NewFileTest, AnExistingPathIsRefused) {
  const std::string path = FreshPath("existing");
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(NewFile::Create(path).status()));
  EXPECT_EQ(ReadFile(path).value(), "old");
}

}  // namespace
}  // namespace trainyard::checkpoint
