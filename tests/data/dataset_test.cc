#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/fixture.h"
#include "tests/support/compressed.h"

namespace trainyard::data {
namespace {

using ::testing::HasSubstr;

class DatasetTest : public DataTest {
 protected:
  std::string SampleText(const Dataset& dataset, int64_t sample) const {
    std::vector<int32_t> ids;
    const SourceSamples& samples = dataset.source(0);
    samples.Append(sample, 0, samples.Tokens(sample), &ids, nullptr);
    return Text(ids);
  }
  std::string ErrorOf(const DatasetSpec& spec) const {
    const auto dataset = Dataset::Load(spec, context());
    EXPECT_EQ(dataset.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(dataset.status().message());
  }
  DatasetSpec Spec(Objective objective, const std::string& rows) const {
    DatasetSpec spec;
    spec.objective = objective;
    spec.sources = {Source("rows.jsonl", rows)};
    return spec;
  }
};

TEST_F(DatasetTest, ConversationsEndWithTheLastTokenThatIsLearnt) {
  const auto dataset =
      Load(Objective::kSft,
           {Source("rows.jsonl", R"({"messages": [{"role": "user", "content": "q"},)"
                                 R"({"role": "assistant", "content": "a"},)"
                                 R"({"role": "user", "content": "thanks"},)"
                                 R"({"role": "assistant", "content": "b", "train": false}]})")},
           64);
  EXPECT_EQ(SampleText(*dataset, 0), "<|user|>q<|assistant|>a<|end|>");
}

TEST_F(DatasetTest, RendersRowsByTheTemplate) {
  const auto dataset =
      Load(Objective::kSft,
           {Source("rows.jsonl", R"({"prompt": "p", "response": " r"})"
                                 "\n"
                                 R"({"messages": [{"role": "user", "content":)"
                                 R"("q"}, {"role": "assistant", "content": "a"}]})")},
           64);
  EXPECT_EQ(SampleText(*dataset, 0), "<|user|>p<|assistant|> r<|end|>");
  EXPECT_EQ(SampleText(*dataset, 1), "<|user|>q<|assistant|>a<|end|>");
  EXPECT_EQ(dataset->source(0).TrainedTokens(0), 3);
  EXPECT_EQ(dataset->reports()[0].trained_tokens, 5);
}

TEST_F(DatasetTest, LongSamplesAreDroppedAndCountedOrRefused) {
  DatasetSpec spec = Spec(Objective::kSft, R"({"prompt": "p", "response": "short"})"
                                           "\n"
                                           R"({"prompt": "p", "response": "much too long"})");
  spec.max_tokens = 12;
  EXPECT_EQ((*Dataset::Load(spec, context()))->reports()[0].dropped_too_long, 1);
  spec.max_tokens = 64;
  spec.max_answer_tokens = 6;  // "short" and its end
  EXPECT_EQ((*Dataset::Load(spec, context()))->reports()[0].dropped_too_long, 1);
  spec.too_long = TooLong::kRefuse;
  EXPECT_THAT(ErrorOf(spec), HasSubstr("rows.jsonl:2: the sample has 17 tokens"));
  spec.max_answer_tokens = 2;
  spec.too_long = TooLong::kDrop;
  EXPECT_THAT(ErrorOf(spec), HasSubstr("no sample left: 2 rows, 0 bad, 2 too long"));
}

TEST_F(DatasetTest, RowsThatDoNotFitTheObjectiveAreRefused) {
  EXPECT_THAT(ErrorOf(Spec(Objective::kPretrain, R"({"prompt": "p", "response": "r"})")),
              HasSubstr("field \"text\" is missing"));
  EXPECT_THAT(ErrorOf(Spec(Objective::kSft, R"({"prompt": "p"})")),
              HasSubstr("field \"response\" is missing (fields seen: prompt)"));
  EXPECT_THAT(ErrorOf(Spec(Objective::kRewardModel, R"({"prompt": "p", "response": "r"})")),
              HasSubstr("field \"score\" is missing"));
  EXPECT_THAT(ErrorOf(Spec(Objective::kRewardModel,
                           R"({"prompt": "p", "answers": [{"text": "a", "score": 1}]})")),
              HasSubstr("\"answers\" has 1 entries, must be 2 .. 9"));
  EXPECT_THAT(ErrorOf(Spec(Objective::kRewardModel,
                           R"({"prompt": "p", "answers": [{"text": "a"}, {"text": "b"}]})")),
              HasSubstr("answers[].score"));
}

TEST_F(DatasetTest, DataFromWhichNobodyLearnsToStopAreRefused) {
  EXPECT_THAT(
      ErrorOf(Spec(Objective::kSft, R"({"messages": [{"role": "user", "content": "q"},)"
                                    R"({"role": "assistant", "content": "a", "train": false}]})")),
      HasSubstr("no message of the assistant is to be trained on"));
}

TEST_F(DatasetTest, RankedAnswersAreFixedGroupsAndRatedOnesPoolsByGroup) {
  const auto ranked =
      Load(Objective::kRewardModel,
           {Source("rows.jsonl", R"({"prompt": "p", "chosen": "c", "rejected": "d"})")}, 64);
  ASSERT_EQ(ranked->fixed_groups(0).size(), 1);
  EXPECT_GT(ranked->fixed_groups(0)[0].scores[0], ranked->fixed_groups(0)[0].scores[1]);
  const auto rated = Load(Objective::kRewardModel, {Source("rated.jsonl", RatedRows(30))}, 64);
  ASSERT_EQ(rated->pools(0).size(), 3);
  EXPECT_EQ(rated->pools(0)[1].name, "b");
  EXPECT_EQ(rated->pools(0)[1].samples.size(), 10);
}

TEST_F(DatasetTest, TheFingerprintFollowsFilesSharesTemplateAndScores) {
  const auto fingerprint = [&](const std::string& rows, double weight) {
    SourceSpec source = Source("rows.jsonl", rows);
    source.share.weight = weight;
    return Load(Objective::kSft, {source}, 64)->fingerprint();
  };
  const std::string rows = ConversationRows(5);
  EXPECT_EQ(fingerprint(rows, 0), fingerprint(rows, 0));
  EXPECT_NE(fingerprint(rows, 0), fingerprint(rows, 1));
  EXPECT_NE(fingerprint(rows, 0), fingerprint(ConversationRows(6), 0));
  const auto rated = [&](const std::string& text) {
    return Load(Objective::kRewardModel, {Source("r.jsonl", text)}, 64)->fingerprint();
  };
  EXPECT_NE(rated(R"({"prompt": "p", "response": "r", "score": 1})"
                  "\n"
                  R"({"prompt": "p", "response": "s", "score": 2})"),
            rated(R"({"prompt": "p", "response": "r", "score": 1})"
                  "\n"
                  R"({"prompt": "p", "response": "s", "score": 3})"));
}

TEST_F(DatasetTest, TheFingerprintIsOfTheRowsAndNotOfHowTheyAreStored) {
  const auto fingerprint = [&](const std::string& file, const std::string& bytes) {
    SourceSpec source = Source("rows", "");
    source.paths = {Write(file, bytes)};
    return Load(Objective::kSft, {source}, 64)->fingerprint();
  };
  const std::string rows = ConversationRows(5);
  const std::string plain = fingerprint("a.jsonl", rows);
  EXPECT_EQ(fingerprint("a.jsonl.gz", trainyard::testing::GzipOf(rows)), plain);
  EXPECT_EQ(fingerprint("a.jsonl.zst", trainyard::testing::ZstdOf(rows)), plain);
  EXPECT_NE(fingerprint("b.jsonl.gz", trainyard::testing::GzipOf(ConversationRows(6))), plain);
}

TEST_F(DatasetTest, SpecsThatContradictThemselvesAreRefused) {
  DatasetSpec spec = Spec(Objective::kSft, ConversationRows(3));
  spec.sources[0].share.weight = 1;
  spec.sources[0].share.passes = 2;
  EXPECT_THAT(ErrorOf(spec), HasSubstr("at most one of weight"));
  spec.sources[0].share = {};
  spec.sources.push_back(spec.sources[0]);
  EXPECT_THAT(ErrorOf(spec), HasSubstr("two sources are called"));
  spec.sources.clear();
  EXPECT_THAT(ErrorOf(spec), HasSubstr("names no source"));
  spec = Spec(Objective::kPretrain, "{\"text\": \"a\"}");
  spec.document_end_token = "<|stop|>";
  EXPECT_THAT(ErrorOf(spec), HasSubstr("<|stop|>"));
  spec = Spec(Objective::kRewardModel, RatedRows(9));
  spec.sources[0].share.weight = 2;
  EXPECT_THAT(ErrorOf(spec), HasSubstr("leave its share out"));
}

}  // namespace
}  // namespace trainyard::data
