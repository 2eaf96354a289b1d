#include "eval/token_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::ElementsAre;

class TokenScoresTest : public EvalTest {
 protected:
  TokenScoresTest() : rollout_(*tokenizer_, "ok") {
    Serve("rollout", 0, &rollout_);
    client_ = std::make_unique<RolloutClient>(session_.Peers().peers[0].endpoint, kTestFence);
    text_.tokenizer = tokenizer_;
    text_.end_id = 3;
    text_.context_tokens = 4;
  }
  FakeRollout rollout_;
  std::unique_ptr<RolloutClient> client_;
  ModelText text_;
};

TEST_F(TokenScoresTest, EveryTokenOfADocumentIsPredictedOnce) {
  const auto sequences = SequencesOf({10, 11, 12, 13, 14}, text_);
  ASSERT_EQ(sequences.size(), 2);
  EXPECT_THAT(sequences[0].token_ids, ElementsAre(3, 10, 11, 12));
  EXPECT_THAT(sequences[1].token_ids, ElementsAre(12, 13, 14));
  EXPECT_EQ(sequences[1].begin, 1);
  text_.end_id.reset();
  EXPECT_THAT(SequencesOf({10, 11}, text_)[0].token_ids, ElementsAre(10, 11));
  EXPECT_TRUE(SequencesOf({10}, text_).empty());
}

TEST_F(TokenScoresTest, PerplexityIsByTokenAndBitsAreByByte) {
  data::SourceSpec source;
  source.name = "text";
  source.format = data::SourceFormat::kTextPerLine;
  source.paths = {Write("t.txt", "one\nthree é\n")};
  const auto documents = ReadTextDocuments({source}, *tokenizer_);
  ASSERT_TRUE(documents.ok()) << documents.status();
  int requests = 0;
  TokenScorer scorer(client_.get(), [&] { ++requests; });
  const auto measures = MeasureText(*documents, text_, &scorer);
  ASSERT_TRUE(measures.ok()) << measures.status();
  EXPECT_NEAR(measures->perplexity.Value(), std::exp(0.25), 1e-9);
  EXPECT_NEAR(measures->bits_per_byte.Value(), 0.25 / std::log(2.0), 1e-9);
  EXPECT_EQ(requests, 1);
}

TEST_F(TokenScoresTest, AnswersAreScoredByRowAndSampleInRequestsOfBoundedSize) {
  std::vector<AnsweredRow> rows;
  data::Prompt prompt;
  prompt.token_ids = {1, 2};
  std::vector<const data::Prompt*> prompts;
  for (int64_t row = 0; row < 30; ++row) {
    AnsweredRow& answered = rows.emplace_back();
    answered.answers.resize(2);
    answered.answers[0].token_ids.assign(400, 5);
    answered.answers[1].token_ids.assign(row + 1, 5);
    prompts.push_back(&prompt);
  }
  int requests = 0;
  TokenScorer scorer(client_.get(), [&] { ++requests; });
  const auto scores = scorer.ScoreAnswers(rows, prompts, nullptr);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_GT(requests, 1);
  ASSERT_EQ(scores->size(), 30);
  EXPECT_THAT((*scores)[9], ElementsAre(-100, -2.5));
}

}  // namespace
}  // namespace trainyard::eval
