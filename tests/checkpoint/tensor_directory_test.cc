#include "checkpoint/tensor_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/support/process.h"

namespace trainyard::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TensorDirectoryTest : public ::testing::Test {
 protected:
  // A file with one tensor of one byte for each name.
  void WriteTensors(const std::string& file, const std::vector<std::string>& names) {
    std::vector<TensorBytes> tensors;
    for (const std::string& name : names) tensors.push_back({name, DType::kU8, {1}, "x"});
    ASSERT_TRUE(WriteSafetensors(directory_.path() + "/" + file, tensors, {}).ok());
  }
  void WriteIndex(const Json& weight_map) {
    const Json index = {{"metadata", Json::object()}, {"weight_map", weight_map}};
    ASSERT_TRUE(WriteFileAtomically(directory_.path() + "/model.safetensors.index.json",
                                    index.dump())
                    .ok());
  }
  absl::Status Error() { return OpenTensorDirectory(directory_.path()).status(); }
  std::string Message() {
    EXPECT_TRUE(absl::IsInvalidArgument(Error())) << Error();
    return std::string(Error().message());
  }

  const testing::TempDir directory_;
};

TEST_F(TensorDirectoryTest, OneFileOrShardsHoldTheTensors) {
  WriteTensors("part-1.safetensors", {"a", "b"});
  WriteTensors("part-2.safetensors", {"c"});
  WriteIndex({{"a", "part-1.safetensors"},
              {"b", "part-1.safetensors"},
              {"c", "part-2.safetensors"}});
  const auto shards = OpenTensorDirectory(directory_.path());
  ASSERT_TRUE(shards.ok()) << shards.status();
  EXPECT_EQ(shards->tensors.size(), 3u);
  EXPECT_EQ(shards->tensors.at("c").bytes(), "x");
  WriteTensors("model.safetensors", {"alone"});
  const auto single = OpenTensorDirectory(directory_.path());
  ASSERT_TRUE(single.ok()) << single.status();
  EXPECT_EQ(single->tensors.count("alone"), 1u);
}

TEST_F(TensorDirectoryTest, AnEmptyDirectoryHoldsNeither) {
  EXPECT_TRUE(absl::IsNotFound(Error()));
  EXPECT_THAT(std::string(Error().message()), HasSubstr("holds neither model.safetensors nor"));
}

TEST_F(TensorDirectoryTest, AMissingShardIsDataLoss) {
  WriteIndex({{"a", "part-1.safetensors"}});
  EXPECT_TRUE(absl::IsDataLoss(Error()));
  EXPECT_THAT(std::string(Error().message()),
              AllOf(HasSubstr("part-1.safetensors is missing"), HasSubstr("\"a\"")));
}

TEST_F(TensorDirectoryTest, AnIndexThatDoesNotFitItsShardsIsRefusedByName) {
  WriteTensors("part-1.safetensors", {"a", "b"});
  WriteTensors("part-2.safetensors", {"c"});
  WriteIndex({{"a", "part-1.safetensors"}, {"none", "part-1.safetensors"}});
  EXPECT_THAT(Message(), HasSubstr("tensor \"none\" is not in part-1.safetensors"));
  WriteIndex({{"a", "part-1.safetensors"}, {"b", "part-2.safetensors"}});
  EXPECT_THAT(Message(), HasSubstr("tensor \"b\" is not in part-2.safetensors"));
  WriteIndex({{"a", "../part-1.safetensors"}});
  EXPECT_THAT(Message(), HasSubstr("tensor \"a\" is in no file of this directory"));
  WriteIndex({{"a", 3}});
  EXPECT_THAT(Message(), HasSubstr("tensor \"a\" is in no file of this directory"));
  WriteIndex(Json::array());
  EXPECT_THAT(Message(), HasSubstr("weight_map"));
}

TEST_F(TensorDirectoryTest, ATensorInTwoShardsIsRefused) {
  WriteTensors("part-1.safetensors", {"a", "b"});
  WriteTensors("part-2.safetensors", {"b", "c"});
  WriteIndex({{"a", "part-1.safetensors"}, {"c", "part-2.safetensors"}});
  EXPECT_THAT(Message(), AllOf(HasSubstr("\"b\" is in two shards"), HasSubstr("part-1"),
                               HasSubstr("part-2")));
}

TEST_F(TensorDirectoryTest, ABrokenFileIsNotTakenForAMissingOne) {
  ASSERT_TRUE(WriteFileAtomically(directory_.path() + "/model.safetensors", "abc").ok());
  WriteIndex({{"a", "part-1.safetensors"}});
  EXPECT_THAT(Message(), AllOf(HasSubstr("model.safetensors"), HasSubstr("truncated")));
}

}  // namespace
}  // namespace trainyard::checkpoint
