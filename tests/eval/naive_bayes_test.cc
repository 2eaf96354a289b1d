#include "eval/naive_bayes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/eval/fake_cluster.h"
#include "tests/support/compressed.h"

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

using NaiveBayesTest = EvalTest;

TEST_F(NaiveBayesTest, ReadsCsvWithQuotesAndLineBreaks) {
  const auto texts = LoadLabelledTexts(
      Write("r.csv", "\xEF\xBB\xBF\"1\",\"first line\nsecond \"\"line\"\"\"\r\n-1,plain\n"));
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_EQ(texts->size(), 2);
  EXPECT_EQ((*texts)[0].text, "first line\nsecond \"line\"");
  EXPECT_TRUE((*texts)[0].positive);
  EXPECT_FALSE((*texts)[1].positive);
}

TEST_F(NaiveBayesTest, ReadsCompressedTables) {
  using trainyard::testing::ZstdOf;
  EXPECT_EQ(LoadLabelledTexts(Write("r.csv.zst", ZstdOf("1,a\n-1,b\n")))->size(), 2);
  EXPECT_EQ(LoadLabelledTexts(
                Write("r.jsonl.zst", ZstdOf("{\"text\": \"x\", \"label\": 1}\n")))
                ->size(),
            1);
}

TEST_F(NaiveBayesTest, NamesTheRowThatIsWrong) {
  EXPECT_THAT(std::string(LoadLabelledTexts(Write("a.csv", "1,x\nmaybe,y\n")).status().message()),
              HasSubstr("row 2: label \"maybe\""));
  EXPECT_THAT(std::string(LoadLabelledTexts(Write("b.csv", "1,x,y\n")).status().message()),
              HasSubstr("row 1 has 3 columns"));
  EXPECT_THAT(
      std::string(LoadLabelledTexts(Write("c.jsonl", "{\"text\": \"x\"}\n")).status().message()),
      HasSubstr("c.jsonl:1"));
}

TEST_F(NaiveBayesTest, WeightsAreLogRatiosOfSmoothedShares) {
  std::vector<LabelledText> texts;
  for (int i = 0; i < 6; ++i) texts.push_back({"what a fine thing\ntoo short", true});
  for (int i = 0; i < 4; ++i) texts.push_back({"what a sad thing", false});
  const auto judge = NaiveBayes::Train(texts);
  ASSERT_TRUE(judge.ok()) << judge.status();
  EXPECT_EQ(judge->examples(), 10);
  // what, a, fine, sad, thing; "what a", "a fine", "fine thing", "a sad", "sad thing".
  EXPECT_EQ(judge->features(), 10);
  EXPECT_NEAR(judge->Score("fine"), std::log(7.0 / 8) - std::log(1.0 / 6), 1e-12);
  EXPECT_GT(judge->Score("a fine thing"), 0);
  EXPECT_LT(judge->Score("a sad thing"), 0);
  EXPECT_EQ(judge->Score("unheard of"), 0);
}

TEST_F(NaiveBayesTest, NeedsBothLabels) {
  EXPECT_FALSE(NaiveBayes::Train({{"one two three four", true}}).ok());
}

}  // namespace
}  // namespace trainyard::eval
