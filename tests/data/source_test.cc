#include "data/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/fixture.h"
#include "tests/support/compressed.h"

namespace trainyard::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trainyard::testing::GzipOf;
using trainyard::testing::ZstdOf;

class SourceTest : public DataTest {
 protected:
  static std::vector<std::string> Texts(const SourceSpec& spec) {
    std::vector<std::string> texts;
    const auto counts = ReadRows(spec, [&](const Row& row) {
      texts.push_back(*row.text);
      return absl::OkStatus();
    });
    EXPECT_TRUE(counts.ok()) << counts.status();
    return texts;
  }
  static absl::StatusOr<SourceCounts> Read(const SourceSpec& spec) {
    return ReadRows(spec, [](const Row&) { return absl::OkStatus(); });
  }
};

TEST_F(SourceTest, ReadsTextByFileAndByLine) {
  EXPECT_THAT(Texts(Source("a", "one\n\ntwo\n", SourceFormat::kTextPerFile)),
              ElementsAre("one\n\ntwo\n"));
  EXPECT_THAT(Texts(Source("b", "\xEF\xBB\xBFone\r\n\n  \ntwo", SourceFormat::kTextPerLine)),
              ElementsAre("one", "two"));
}

TEST_F(SourceTest, ErrorsNameFileAndLine) {
  const SourceSpec spec = Source("sft.jsonl", "{\"text\": \"a\"}\n\n{\"txt\": \"b\"}\n");
  const auto counts = Read(spec);
  EXPECT_EQ(counts.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(counts.status().message()), HasSubstr("sft.jsonl:3: field "));
}

TEST_F(SourceTest, BadRowsAreSkippedAndCountedUpToTheLimit) {
  SourceSpec spec = Source("x.jsonl", "{\"text\": \"a\"}\n{\n{\n{\"text\": \"b\"}\n");
  spec.max_bad_rows = 2;
  const auto counts = Read(spec);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->rows, 4);
  EXPECT_EQ(counts->bad_rows, 2);
  EXPECT_THAT(counts->first_bad_row, HasSubstr("x.jsonl:2"));
  spec.max_bad_rows = 1;
  EXPECT_THAT(std::string(Read(spec).status().message()),
              HasSubstr("more than max_bad_rows = 1 bad rows, the last of them: "));
}

TEST_F(SourceTest, TakesOnlyTheGroupsAskedFor) {
  SourceSpec spec = Source("g.jsonl", RatedRows(9));
  spec.groups = {"b"};
  EXPECT_EQ(Read(spec)->rows, 3);
}

TEST_F(SourceTest, AMissingFileIsNotFoundByItsPath) {
  SourceSpec spec;
  spec.paths = {directory_ + "/nowhere.jsonl"};
  EXPECT_EQ(Read(spec).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Read(spec).status().message()), HasSubstr("nowhere.jsonl"));
}

TEST_F(SourceTest, CompressedFilesAreTheSameRows) {
  const std::string lines = "\xEF\xBB\xBFone\r\n\ntwo";
  for (const auto format : {SourceFormat::kTextPerLine, SourceFormat::kTextPerFile}) {
    const auto plain = Texts(Source("a.txt", lines, format));
    EXPECT_EQ(Texts(Source("a.txt.gz", GzipOf(lines), format)), plain);
    EXPECT_EQ(Texts(Source("a.txt.zst", ZstdOf(lines), format)), plain);
  }
  const SourceSpec spec = Source("x.jsonl.zst", ZstdOf("{\"text\": \"a\"}\n{\n"));
  EXPECT_THAT(std::string(Read(spec).status().message()), HasSubstr("x.jsonl.zst:2"));
}

TEST_F(SourceTest, ADamagedFileFailsWhateverBadRowsAreAllowed) {
  const std::string stored = GzipOf(RatedRows(50));
  SourceSpec spec = Source("r.jsonl.gz", stored.substr(0, stored.size() - 20));
  spec.max_bad_rows = 1000;
  EXPECT_EQ(Read(spec).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Read(spec).status().message()), HasSubstr("r.jsonl.gz is cut short"));
}

TEST_F(SourceTest, TheFormatFollowsTheNameOrTheFile) {
  EXPECT_EQ(*ResolveSourceFormat("", "a.jsonl.gz"), SourceFormat::kJsonl);
  EXPECT_EQ(*ResolveSourceFormat("", "a.txt.zst"), SourceFormat::kTextPerLine);
  EXPECT_THAT(std::string(ResolveSourceFormat("", "a.csv.gz").status().message()),
              HasSubstr("*.jsonl, plain or with .gz or .zst"));
  EXPECT_EQ(*ResolveSourceFormat("", "a.jsonl"), SourceFormat::kJsonl);
  EXPECT_EQ(*ResolveSourceFormat("", "a.txt"), SourceFormat::kTextPerLine);
  EXPECT_EQ(*ResolveSourceFormat("", directory_), SourceFormat::kTokenShards);
  EXPECT_EQ(*ResolveSourceFormat("text", "a.jsonl"), SourceFormat::kTextPerFile);
  EXPECT_FALSE(ResolveSourceFormat("csv", "a.csv").ok());
  EXPECT_FALSE(ResolveSourceFormat("", "a.csv").ok());
}

class DocumentsTest : public SourceTest {
 protected:
  absl::StatusOr<SourceCounts> ReadTexts(const SourceSpec& spec, int threads,
                                         std::vector<std::string>* texts) {
    tokenizer::BatchEncoder encoder(*tokenizer_, threads);
    return ReadDocuments(spec, &encoder, [&](absl::Span<const int32_t> ids) {
      texts->push_back(Text({ids.begin(), ids.end()}));
      return absl::OkStatus();
    });
  }
};

TEST_F(DocumentsTest, AreTheRowsInOrderAtAnyNumberOfThreads) {
  // Several batches: more than 4 MiB.
  const std::string long_word(500'000, 'w');
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += DocumentLines(300) + long_word + std::to_string(i) + "\n";
  const SourceSpec spec = Source("lines", lines, SourceFormat::kTextPerLine);
  const std::vector<std::string> rows = Texts(spec);
  for (const int threads : {1, 2, 5}) {
    std::vector<std::string> texts;
    const auto counts = ReadTexts(spec, threads, &texts);
    ASSERT_TRUE(counts.ok()) << counts.status();
    EXPECT_EQ(counts->rows, static_cast<int64_t>(rows.size()));
    EXPECT_TRUE(texts == rows) << threads << " threads";
  }
}

TEST_F(DocumentsTest, ARowWithoutTextIsBadAndNamedByItsLine) {
  SourceSpec spec = Source("x.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n{\n{\"text\": \"\"}\n"
                                      "{\"text\": \"c\"}\n");
  spec.max_bad_rows = 3;
  std::vector<std::string> texts;
  const auto counts = ReadTexts(spec, 2, &texts);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_THAT(texts, ElementsAre("a", "c"));
  EXPECT_EQ(counts->rows, 5);
  EXPECT_EQ(counts->bad_rows, 3);
  EXPECT_THAT(counts->first_bad_row, HasSubstr("x.jsonl:2: field \"text\""));
  spec.max_bad_rows = 2;
  EXPECT_THAT(std::string(ReadTexts(spec, 2, &texts).status().message()),
              HasSubstr("more than max_bad_rows = 2 bad rows, the last of them: "));
  EXPECT_THAT(std::string(ReadTexts(spec, 2, &texts).status().message()), HasSubstr("x.jsonl:4"));
}

TEST_F(DocumentsTest, AnErrorOfTheVisitorIsNoBadRow) {
  SourceSpec spec = Source("x.jsonl", "{\"text\": \"a\"}\n");
  spec.max_bad_rows = 10;
  tokenizer::BatchEncoder encoder(*tokenizer_, 1);
  EXPECT_EQ(ReadDocuments(spec, &encoder,
                          [](absl::Span<const int32_t>) {
                            return absl::ResourceExhaustedError("the disk is full");
                          })
                .status(),
            absl::ResourceExhaustedError("the disk is full"));
}

}  // namespace
}  // namespace trainyard::data
