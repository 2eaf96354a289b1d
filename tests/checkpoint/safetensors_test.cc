#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/random.h"

namespace trainyard::checkpoint {
namespace {

using ::testing::HasSubstr;

std::string FreshPath(const std::string& name) {
  const auto directory = std::filesystem::path(::testing::TempDir()) / "safetensors_test";
  std::filesystem::create_directories(directory);
  std::filesystem::remove(directory / name);
  return (directory / name).string();
}

std::string WithHeader(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof(length));
  return file + header + data;
}

std::string ErrorOf(const std::string& file) {
  const auto header = ParseSafetensorsHeader(file, "m.safetensors");
  EXPECT_FALSE(header.ok());
  EXPECT_THAT(std::string(header.status().message()), HasSubstr("m.safetensors"));
  return std::string(header.status().message());
}

TEST(SafetensorsTest, WhatIsWrittenIsReadBack) {
  const std::string path = FreshPath("round_trip");
  const float numbers[] = {1.5f, -2.0f, 3.0f, 0.25f, 5.0f, 6.0f};
  const uint16_t halves[] = {1, 2, 3};
  const std::vector<TensorBytes> tensors = {
      {"a.half", DType::kBF16, {3}, {reinterpret_cast<const char*>(halves), 6}},
      {"b.float", DType::kF32, {2, 3}, {reinterpret_cast<const char*>(numbers), 24}},
      {"c.empty", DType::kF32, {0, 7}, {}}};
  const auto record = WriteSafetensors(path, tensors, {{"format", "pt"}});
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->path, "round_trip");
  EXPECT_EQ(record->size_bytes, std::filesystem::file_size(path));
  EXPECT_EQ(record->xxh3, FileXxh3Hex(path).value());

  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->metadata().at("format"), "pt");
  const TensorEntry* entry = (*file)->Find("b.float");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp((*file)->Bytes(*entry).data(), numbers, 24), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*file)->Bytes(*entry).data()) % 8, 0u);
  EXPECT_EQ((*file)->Find("b"), nullptr);
}

TEST(SafetensorsTest, AnExistingFileIsNeverOverwritten) {
  const std::string path = FreshPath("existing");
  ASSERT_TRUE(WriteSafetensors(path, {}, {}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(WriteSafetensors(path, {}, {}).status()));
}

TEST(SafetensorsTest, AFailedWriteLeavesNoFile) {
  const std::string path = FreshPath("twice");
  const std::vector<TensorBytes> tensors = {{"x", DType::kU8, {1}, "a"},
                                            {"x", DType::kU8, {1}, "b"}};
  EXPECT_THAT(std::string(WriteSafetensors(path, tensors, {}).status().message()),
              HasSubstr("given twice"));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SafetensorsTest, AMissingFileIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(SafetensorsFile::Open(FreshPath("none")).status()));
}

TEST(SafetensorsTest, AnEmptyFileIsRefused) {
  const std::string path = FreshPath("empty");
  ASSERT_TRUE(WriteFileAtomically(path, "").ok());
  EXPECT_THAT(std::string(SafetensorsFile::Open(path).status().message()), HasSubstr("truncated"));
}

struct BadHeader {
  std::string header;
  std::string data;
  std::string message;
};

class BadHeaderTest : public ::testing::TestWithParam<BadHeader> {};

TEST_P(BadHeaderTest, IsRefusedByName) {
  EXPECT_THAT(ErrorOf(WithHeader(GetParam().header, GetParam().data)),
              HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadHeaderTest,
    ::testing::Values(
        BadHeader{"{", "", "no JSON"}, BadHeader{"[1]", "", "no JSON object"},
        BadHeader{R"({"a":1})", "", "\"a\" lacks"},
        BadHeader{R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "x", "F8_E4M3"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "x", "shape has -1"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", "x",
                  "shape has 1.5"},
        BadHeader{R"({"a":{"dtype":"U8","shape":3,"data_offsets":[0,1]}})", "x", "no array"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}})",
                  "x", "overflows"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "x", "begin <= end"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "x", "begin <= end"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2]}})", "xx", "takes 4"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", "xx", "truncated"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "xy",
                  "1 bytes after the last tensor"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                  "xyz", "inside the one before"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy", "hole"},
        BadHeader{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                  R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                  "x", "named twice"},
        BadHeader{R"({"__metadata__":{"step":3}})", "", "no string"},
        BadHeader{R"({"__metadata__":[]})", "", "no object"}));

TEST(SafetensorsTest, AbsurdAndTruncatedHeaderLengthsAreRefused) {
  EXPECT_THAT(ErrorOf("abc"), HasSubstr("truncated"));
  EXPECT_THAT(ErrorOf(std::string(8, '\xff')), HasSubstr("absurd header length"));
  std::string file = WithHeader("{}", "");
  file[0] = 40;
  EXPECT_THAT(ErrorOf(file), HasSubstr("truncated"));
}

// Fuzz in small: a mutated header is refused or parsed, and what is parsed lies inside the file.
TEST(SafetensorsTest, NoMutationReadsOutsideTheFile) {
  const std::string good = WithHeader(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],)"
      R"("data_offsets":[8,11]}})",
      std::string(11, 'x'));
  const CounterRandom random(7);
  for (uint64_t i = 0; i < 20000; ++i) {
    std::string file = good;
    file[random.Below(file.size(), i, 0)] = static_cast<char>(random.Below(256, i, 1));
    file.resize(file.size() - random.Below(3, i, 2));
    const auto header = ParseSafetensorsHeader(file, "m");
    if (!header.ok()) continue;
    for (const TensorEntry& entry : header->tensors) {
      EXPECT_LE(header->data_begin + entry.end, file.size());
      EXPECT_LE(entry.begin, entry.end);
    }
  }
}

TEST(DTypeTest, NamesRoundTrip) {
  for (const DType dtype : {DType::kBool, DType::kBF16, DType::kF64, DType::kU64, DType::kI8}) {
    EXPECT_EQ(ParseDType(DTypeName(dtype)).value(), dtype);
  }
  EXPECT_FALSE(ParseDType("F4").ok());
}

}  // namespace
}  // namespace trainyard::checkpoint
