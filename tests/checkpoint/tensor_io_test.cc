#include "checkpoint/tensor_io.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"

namespace trainyard::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TensorIoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    std::filesystem::remove(path_);
  }
  const std::string path_ = ::testing::TempDir() + "/tensor_io_test.safetensors";
};

TEST_F(TensorIoTest, EveryTypeRoundTripsBitForBit) {
  const at::Tensor base = at::arange(12).reshape({3, 4});
  std::vector<NamedTensor> tensors;
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong, at::kInt,
                          at::kByte, at::kBool}) {
    tensors.push_back({at::toString(type), base.to(type)});
  }
  tensors.push_back({"transposed", base.to(at::kFloat).t()});
  tensors.push_back({"scalar", at::scalar_tensor(3.0)});
  ASSERT_TRUE(WriteTensors(path_, tensors, {{"k", "v"}}).ok());
  const auto file = SafetensorsFile::Open(path_).value();
  const auto read = ReadTensors(*file);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), tensors.size());
  for (const NamedTensor& wanted : tensors) {
    const auto it = std::find_if(read->begin(), read->end(),
                                 [&](const NamedTensor& t) { return t.name == wanted.name; });
    ASSERT_NE(it, read->end());
    EXPECT_EQ(it->tensor.scalar_type(), wanted.tensor.scalar_type());
    EXPECT_TRUE(at::equal(it->tensor, wanted.tensor)) << wanted.name;
  }
}

TEST_F(TensorIoTest, ReadIntoFillsTensorsInPlace) {
  ASSERT_TRUE(WriteTensors(path_, {{"w", at::ones({2, 2})}}, {}).ok());
  const at::Tensor target = at::zeros({2, 2});
  const auto file = SafetensorsFile::Open(path_).value();
  ASSERT_TRUE(ReadTensorsInto(*file, {{"w", target}}).ok());
  EXPECT_TRUE(at::equal(target, at::ones({2, 2})));
}

// Memory of this process that the file backs; -1: it is not mapped. All files together will not do:
// libraries are among them, and grow as their code is first run.
int64_t MappedBytes(const std::string& path) {
  const std::string name = std::filesystem::canonical(path).string();
  std::ifstream smaps("/proc/self/smaps");
  int64_t kib = -1;
  for (std::string line; std::getline(smaps, line);) {
    if (!absl::EndsWith(line, name)) continue;
    kib = std::max<int64_t>(kib, 0);
    int64_t resident = 0;
    while (std::getline(smaps, line) && std::sscanf(line.c_str(), "Rss: %ld", &resident) != 1) {
    }
    kib += resident;
  }
  return kib < 0 ? kib : kib * 1024;
}

TEST_F(TensorIoTest, ATensorIsCopiedAndItsFilesMemoryGivenBack) {
  const at::Tensor wide = at::arange(6 << 20).to(at::kFloat).reshape({1 << 16, 96});  // 24 MiB
  ASSERT_TRUE(WriteTensors(path_, {{"w", wide}, {"scalar", at::scalar_tensor(3.0)}}, {}).ok());
  const auto file = SafetensorsFile::Open(path_).value();
  const at::Tensor same = at::zeros_like(wide), turned = at::zeros({96, 1 << 16}),
                   narrow = at::zeros_like(wide, at::kBFloat16), scalar = at::zeros({});
  for (const at::Tensor& target : {same, turned.t(), narrow}) {
    CopyTensors({{file.get(), file->Find("w"), target}});
    EXPECT_GE(MappedBytes(path_), 0);
    EXPECT_LT(MappedBytes(path_), 4 << 20);
  }
  CopyTensors({{file.get(), file->Find("scalar"), scalar}});
  EXPECT_TRUE(at::equal(same, wide));
  EXPECT_TRUE(at::equal(turned, wide.t()));
  EXPECT_TRUE(at::equal(narrow, wide.to(at::kBFloat16)));
  EXPECT_EQ(scalar.item<float>(), 3.0f);
}

TEST_F(TensorIoTest, EveryMismatchIsNamedAndNothingIsCopied) {
  ASSERT_TRUE(WriteTensors(path_,
                           {{"good", at::ones({2})},
                            {"shape", at::ones({2, 3})},
                            {"type", at::ones({2})},
                            {"extra", at::ones({1})}},
                           {})
                  .ok());
  const at::Tensor good = at::zeros({2});
  const auto file = SafetensorsFile::Open(path_).value();
  const absl::Status status = ReadTensorsInto(*file, {{"good", good},
                                                      {"shape", at::zeros({3, 2})},
                                                      {"type", at::zeros({2}, at::kDouble)},
                                                      {"absent", at::zeros({1})}});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"shape\" is Float[2,3], wanted Float[3,2]"), HasSubstr("\"type\""),
                    HasSubstr("\"absent\" is missing"), HasSubstr("\"extra\" is not wanted")));
  EXPECT_TRUE(at::equal(good, at::zeros({2})));
}

TEST_F(TensorIoTest, ASnapshotKeepsTheValuesOfItsMoment) {
  const at::Tensor weight = at::ones({4}, at::kBFloat16);
  Snapshot snapshot({{"w", weight}});
  EXPECT_EQ(snapshot.size_bytes(), 8u);
  const void* memory = snapshot.tensors()[0].tensor.const_data_ptr();
  snapshot.Capture({{"w", weight}});
  weight.fill_(7);
  EXPECT_TRUE(at::equal(snapshot.tensors()[0].tensor, at::ones({4}, at::kBFloat16)));
  snapshot.Capture({{"w", weight}});
  EXPECT_TRUE(at::equal(snapshot.tensors()[0].tensor, weight));
  EXPECT_EQ(snapshot.tensors()[0].tensor.const_data_ptr(), memory);
}

TEST_F(TensorIoTest, ATypeWithoutANameIsRefused) {
  const auto written = WriteTensors(path_, {{"z", at::zeros({1}, at::kComplexFloat)}}, {});
  EXPECT_THAT(std::string(written.status().message()), HasSubstr("cannot be stored"));
}

}  // namespace
}  // namespace trainyard::checkpoint
