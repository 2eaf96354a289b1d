#include "base/line_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/atomic_file.h"
#include "tests/support/compressed.h"
#include "tests/support/process.h"

namespace trainyard {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::GzipOf;
using testing::ZstdOf;

class LineReaderTest : public ::testing::Test {
 protected:
  // The lines of a file with these bytes; what ended them goes to `end_`.
  std::vector<std::string> Lines(const std::string& name, absl::string_view bytes,
                                 size_t most_bytes = kMaxLineBytes) {
    TY_CHECK(WriteFileAtomically(dir_.File(name), bytes).ok());
    const auto reader = LineReader::Open(dir_.File(name), most_bytes);
    TY_CHECK(reader.ok());
    std::vector<std::string> lines;
    while (true) {
      absl::string_view line;
      const auto more = (*reader)->Next(&line);
      end_ = more.status();
      if (!more.ok() || !*more) return lines;
      lines.emplace_back(line);
      EXPECT_EQ((*reader)->number(), static_cast<int64_t>(lines.size()));
    }
  }
  std::string end() const { return std::string(end_.message()); }

  testing::TempDir dir_;
  absl::Status end_;
};

TEST_F(LineReaderTest, GivesEachLineOnceWithOrWithoutALastLineEnd) {
  EXPECT_THAT(Lines("a", "one\n\ntwo\n"), ElementsAre("one", "", "two"));
  EXPECT_THAT(Lines("b", "one\r\ntwo"), ElementsAre("one\r", "two"));
  EXPECT_THAT(Lines("c", ""), IsEmpty());
  EXPECT_THAT(Lines("d", "\n"), ElementsAre(""));
  EXPECT_THAT(Lines("e", "\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n"),
              ElementsAre("one", "\xEF\xBB\xBFtwo"));
  EXPECT_TRUE(end_.ok());
}

TEST_F(LineReaderTest, LinesOverManyBlocksAreWhole) {
  const std::vector<std::string> lines = {std::string(700000, 'a'), "b", std::string(300000, 'c'),
                                          std::string(1 << 18, 'd'), std::string(1 << 18, 'e')};
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  EXPECT_EQ(Lines("x", text), lines);
  EXPECT_EQ(Lines("x.gz", GzipOf(text)), lines);
  EXPECT_EQ(Lines("x.zst", ZstdOf(text)), lines);
  EXPECT_EQ(Lines("y.gz", GzipOf(text.substr(0, 350000)) + GzipOf(text.substr(350000))), lines);
}

TEST_F(LineReaderTest, DamageNamesTheLineItWasFoundIn) {
  const std::string stored = GzipOf("one\ntwo\n");
  EXPECT_THAT(Lines("cut.gz", absl::string_view(stored).substr(0, stored.size() - 1)),
              ElementsAre("one", "two"));
  EXPECT_EQ(end_.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(end(), AllOf(HasSubstr("in line 3: "), HasSubstr("cut.gz is cut short")));
}

TEST_F(LineReaderTest, ALineOverTheLimitEndsItWhatEverItIsWrittenAs) {
  const std::string text = "one\n" + std::string(2 << 20, 'a') + "\ntwo\n";
  EXPECT_EQ(Lines("l", text, 2 << 20).size(), 3u);
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"l", text},
                                    {"l.gz", GzipOf(text)},
                                    {"l.zst", ZstdOf(text)}}) {
    EXPECT_THAT(Lines(name, bytes, (2 << 20) - 1), ElementsAre("one"));
    EXPECT_EQ(end_.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(end(), HasSubstr(name + ":2: the line has more than 2097151 bytes"));
  }
  EXPECT_THAT(Lines("s", "abc\n", 2), IsEmpty());
}

TEST_F(LineReaderTest, AMissingFileIsNotFound) {
  EXPECT_EQ(LineReader::Open(dir_.File("none")).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace trainyard
