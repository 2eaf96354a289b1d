#include "base/input_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/cause.h"
#include "tests/support/compressed.h"
#include "tests/support/process.h"

namespace trainyard {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::GzipOf;
using testing::ZstdOf;

class InputFileTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, absl::string_view bytes) const {
    TY_CHECK(WriteFileAtomically(dir_.File(name), bytes).ok());
    return dir_.File(name);
  }
  std::string Refusal(const std::string& name, absl::string_view bytes) const {
    return std::string(ReadText(Write(name, bytes)).status().message());
  }

  testing::TempDir dir_;
};

TEST_F(InputFileTest, TheEndingOfTheNameIsTheCompression) {
  EXPECT_EQ(CompressionOf("a.jsonl.gz"), Compression::kGzip);
  EXPECT_EQ(CompressionOf("a.txt.zst"), Compression::kZstd);
  EXPECT_EQ(CompressionOf("a.gz.txt"), Compression::kNone);
  EXPECT_EQ(WithoutCompression("d.gz/a.jsonl.gz"), "d.gz/a.jsonl");
  EXPECT_EQ(WithoutCompression("a.jsonl"), "a.jsonl");
}

TEST_F(InputFileTest, PlainGzipAndZstdGiveTheSameText) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i) + ' ';
  EXPECT_EQ(*ReadText(Write("a.txt", text)), text);
  EXPECT_EQ(*ReadText(Write("a.txt.gz", GzipOf(text))), text);
  EXPECT_EQ(*ReadText(Write("a.txt.zst", ZstdOf(text))), text);
  EXPECT_EQ(*ReadText(Write("empty.gz", GzipOf(""))), "");
  EXPECT_EQ(*ReadText(Write("mark.zst", ZstdOf("\xEF\xBB\xBFx"))), "x");
}

TEST_F(InputFileTest, AStreamThatWasCutNamesTheFileAndWhereItEnds) {
  for (const std::string& name : {std::string("c.txt.gz"), std::string("c.txt.zst")}) {
    const std::string whole = name == "c.txt.gz" ? GzipOf("a text") : ZstdOf("a text");
    EXPECT_THAT(Refusal(name, absl::string_view(whole).substr(0, 11)),
                AllOf(HasSubstr(name + " is cut short"), HasSubstr("at byte 11 ")));
    EXPECT_THAT(Refusal(name, ""), HasSubstr("at byte 0 "));
  }
}

TEST_F(InputFileTest, ADamagedStreamIsTheUsersErrorWithFileByteAndReason) {
  std::string stored = GzipOf("a text");
  stored[stored.size() - 8] ^= 1;  // of its checksum
  const absl::Status status = ReadText(Write("d.txt.gz", stored)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(EndClassOf(status), EndClass::kUserError);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("d.txt.gz is damaged near byte "),
                    HasSubstr("gzip: incorrect data check")));
  EXPECT_THAT(Refusal("e.txt.zst", "plain words"), HasSubstr("damaged near byte"));
}

TEST_F(InputFileTest, ACompressedFileUnderAPlainNameIsToldItsName) {
  EXPECT_THAT(Refusal("a.jsonl", GzipOf("{}")),
              AllOf(HasSubstr("a.jsonl is compressed"), HasSubstr("must end in .gz")));
  EXPECT_THAT(Refusal("b.jsonl", ZstdOf("{}")), HasSubstr("must end in .zst"));
}

TEST_F(InputFileTest, OtherCompressionsAreRefusedByName) {
  for (const char* name : {"a.jsonl.xz", "a.jsonl.bz2", "a.tar.gz", "a.zip"}) {
    EXPECT_THAT(Refusal(name, "x"), AllOf(HasSubstr("is not read"), HasSubstr(".zst"))) << name;
  }
}

TEST_F(InputFileTest, AFewKilobytesThatStandForTooMuchAreRefused) {
  const std::string path = Write("bomb.txt.gz", GzipOf(std::string(1 << 20, 'a')));
  EXPECT_EQ(ReadText(path, 1 << 20)->size(), size_t{1} << 20);
  EXPECT_THAT(std::string(ReadText(path, (1 << 20) - 1).status().message()),
              AllOf(HasSubstr("bomb.txt.gz has more than 1048575 bytes"), HasSubstr("split it")));
}

TEST_F(InputFileTest, AMissingFileIsNotFoundByItsPath) {
  const absl::Status status = ReadText(dir_.File("none.txt.gz")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none.txt.gz"));
}

}  // namespace
}  // namespace trainyard
