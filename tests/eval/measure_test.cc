#include "eval/measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

class MeasureTest : public EvalTest {
 protected:
  MeasureTest() {
    answers_.model = std::string("model");
    const std::vector<absl::string_view> texts = {" good good film ", "bad film", "good", ""};
    for (size_t row = 0; row < texts.size(); ++row) {
      Answer answer{std::string(texts[row]),
                    std::vector<int32_t>(row + 1, 5),
                    -2.0,
                    row == 3 ? Finish::kLength : Finish::kEnd,
                    1.0 * row,
                    ""};
      answers_.rows.push_back({static_cast<int64_t>(row), {answer}});
      answers_.references.emplace_back("good");
      answers_.baseline_logprob.push_back({-1.0 * (row + 1)});
      answers_.baseline_sampled_logprob.push_back({-2.5});
    }
  }
  double Value(MetricKind kind) {
    const Metric metric{"x", kind, &*lexicon_, &*judge_};
    const auto measured = Measure(metric, answers_);
    EXPECT_TRUE(measured.ok()) << measured.status();
    return measured->Value();
  }

  const absl::StatusOr<Lexicon> lexicon_ =
      Lexicon::Load(Write("l.jsonl",
                          "{\"word\": \"good\", \"value\": 1}\n"
                          "{\"word\": \"bad\", \"value\": -1}\n"
                          "{\"word\": \"film\", \"value\": 0.05}\n"));
  const absl::StatusOr<NaiveBayes> judge_ = NaiveBayes::Train(
      {{"good good good good\ngood good good good\ngood good good good\ngood good good good", true},
       {"bad bad bad bad\nbad bad bad bad\nbad bad bad bad\nbad bad bad bad", false}});
  ModelAnswers answers_;
};

TEST_F(MeasureTest, CountsWhatEachMetricSays) {
  EXPECT_NEAR(Value(MetricKind::kPolarity), (2.05 / 3 - 0.95 / 2 + 1 + 0) / 4, 1e-12);
  EXPECT_DOUBLE_EQ(Value(MetricKind::kNaiveBayes), 0.5);
  EXPECT_DOUBLE_EQ(Value(MetricKind::kPerplexityUnder), std::exp(1.0));
  EXPECT_DOUBLE_EQ(Value(MetricKind::kKlToBaseline), 0.5);
  EXPECT_DOUBLE_EQ(Value(MetricKind::kLengthRatio), 2.5);
  EXPECT_DOUBLE_EQ(Value(MetricKind::kEndShare), 0.75);
  EXPECT_DOUBLE_EQ(Value(MetricKind::kReward), 1.5);
  EXPECT_DOUBLE_EQ(Value(MetricKind::kExactMatch), 0.25);
  EXPECT_DOUBLE_EQ(Value(MetricKind::kDistinct2), 1.0);  // good good, good film, bad film
}

TEST_F(MeasureTest, TheTopWordIsTheMostFrequentOneWithAValue) {
  const auto measured = Measure({"x", MetricKind::kTopWordShare, &*lexicon_, nullptr}, answers_);
  EXPECT_EQ(measured->detail, "good");
  EXPECT_DOUBLE_EQ(measured->Value(), 0.5);
  answers_.rows[2].answers[0].text = "film film film";
  EXPECT_EQ(Measure({"x", MetricKind::kTopWordShare, &*lexicon_, nullptr}, answers_)->detail,
            "good");  // "film" has next to no value
  EXPECT_EQ(Measure({"x", MetricKind::kTopWordShare, nullptr, nullptr}, answers_)->detail, "film");
}

TEST_F(MeasureTest, AFailedRewardIsLeftOutAndManyOfThemAreAnError) {
  answers_.rows[0].answers[0].score.reset();
  const Metric metric{"reviews", MetricKind::kReward, nullptr, nullptr};
  const auto failed = Measure(metric, answers_);
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr("1 of 4 answers"));
  for (int64_t row = 4; row < 40; ++row) {
    answers_.rows.push_back({row, {answers_.rows[1].answers[0]}});
  }
  const auto measured = Measure(metric, answers_);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_THAT(measured->detail, HasSubstr("1 of 40 answers left out"));
  EXPECT_DOUBLE_EQ(measured->Value(), (1.0 * 37 + 2 + 3) / 39);
}

TEST_F(MeasureTest, ResamplesWeighRows) {
  const auto measured = Measure({"x", MetricKind::kLengthRatio, nullptr, nullptr}, answers_);
  EXPECT_DOUBLE_EQ(measured->Value({4, 0, 0, 0}), 1);
  EXPECT_DOUBLE_EQ(measured->Value({0, 0, 2, 2}), 3.5);
}

TEST_F(MeasureTest, KindsHaveNames) {
  EXPECT_EQ(*MetricKindFromName("distinct_2"), MetricKind::kDistinct2);
  EXPECT_THAT(std::string(MetricKindFromName("bleu").status().message()), HasSubstr("polarity"));
}

}  // namespace
}  // namespace trainyard::eval
