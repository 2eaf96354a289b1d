#include "worker/shard_writer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"

namespace trainyard::worker {
namespace {

NamedTensors State(double base) {
  NamedTensors state;
  for (int i = 0; i < 7; ++i) {
    state.push_back({absl::StrCat("t", i), at::arange(10.0 * (i + 1)) + base});
  }
  return state;
}

class ShardWriterTest : public testing::Test {
 protected:
  ShardWriterTest() { std::filesystem::remove_all(directory_); }
  ~ShardWriterTest() override { std::filesystem::remove_all(directory_); }
  const std::string directory_ =
      testing::TempDir() + "/shards-" +
      testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(ShardWriterTest, SharesCoverEveryTensorOnceAndAreEven) {
  const NamedTensors state = State(0);
  for (int world : {1, 2, 3, 20}) {
    std::set<std::string> names;
    for (int rank = 0; rank < world; ++rank) {
      for (const NamedTensor& tensor : ShareOf(state, rank, world)) {
        EXPECT_TRUE(names.insert(tensor.name).second);
      }
    }
    EXPECT_EQ(names.size(), state.size());
  }
}

TEST_F(ShardWriterTest, WritesTheCopyOfTheMomentAndLoadsAtAnotherWorldSize) {
  const NamedTensors state = State(0);
  const NamedTensors wanted = State(0);
  std::vector<std::string> files;
  for (int rank = 0; rank < 3; ++rank) {
    ShardWriter writer(ShareOf(state, rank, 3));
    ASSERT_TRUE(writer.Start(directory_, ShardFileName(rank, 3)).ok());
    for (const NamedTensor& tensor : ShareOf(state, rank, 3)) tensor.tensor.add_(100);
    const auto record = writer.Fetch(absl::Seconds(30));
    ASSERT_TRUE(record.has_value() && record->ok()) << record->status();
    files.push_back(directory_ + "/" + (*record)->path);
  }
  const NamedTensors loaded = State(-5);
  ASSERT_TRUE(ReadShards(files, loaded).ok());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_TRUE(at::equal(loaded[i].tensor, wanted[i].tensor));
  }
  files.pop_back();
  const absl::Status missing = ReadShards(files, loaded);
  EXPECT_TRUE(absl::IsInvalidArgument(missing));
  EXPECT_NE(missing.message().find("lacks"), std::string::npos) << missing;
}

TEST_F(ShardWriterTest, AForeignTensorIsNamed) {
  ShardWriter writer({{"other", at::ones({2})}});
  ASSERT_TRUE(writer.Start(directory_, "f.safetensors").ok());
  ASSERT_TRUE(writer.Fetch(absl::Seconds(30))->ok());
  const absl::Status status = ReadShards({directory_ + "/f.safetensors"}, State(0));
  EXPECT_NE(status.message().find("tensor other"), std::string::npos) << status;
}

}  // namespace
}  // namespace trainyard::worker
