#include "eval/lexicon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"
#include "tests/support/compressed.h"

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

using LexiconTest = EvalTest;

TEST_F(LexiconTest, AWordsValueIsTheMeanOfItsEntries) {
  const auto lexicon = Lexicon::Load(
      Write("l.xml",
            "<sentiment>\n<word form=\"good\" pos=\"JJ\" polarity=\"0.5\" />\n"
            "<word form=\"good\" pos=\"NN\" polarity=\"1.0\" />\n"
            "<word form=\"2nd\" polarity=\"0.9\" />\n<word form=\"not bad\" polarity=\"0.9\" />\n"
            "<word form=\"bad\" polarity=\"-1.0\" />\n</sentiment>\n"));
  ASSERT_TRUE(lexicon.ok()) << lexicon.status();
  EXPECT_EQ(lexicon->size(), 2);
  EXPECT_EQ(lexicon->ValueOf("good"), 0.75);
  EXPECT_EQ(lexicon->ValueOf("not bad"), std::nullopt);
}

TEST_F(LexiconTest, ATextIsTheMeanOfItsListedWordsAndNegationReachesThreeWords) {
  const auto lexicon = Lexicon::Load(Write("l.jsonl",
                                           "{\"word\": \"good\", \"value\": 0.8}\n\n"
                                           "{\"word\": \"bad\", \"value\": -0.4}\n"));
  ASSERT_TRUE(lexicon.ok()) << lexicon.status();
  EXPECT_DOUBLE_EQ(lexicon->Score("a good, bad thing"), 0.2);
  EXPECT_DOUBLE_EQ(lexicon->Score("it isn't very good"), -0.4);
  EXPECT_DOUBLE_EQ(lexicon->Score("not that it was good"), 0.8);  // four words before
  EXPECT_DOUBLE_EQ(lexicon->Score("nothing here"), 0);
}

TEST_F(LexiconTest, CompressedListsAreRead) {
  using trainyard::testing::GzipOf;
  const auto xml =
      Lexicon::Load(Write("l.xml.gz", GzipOf("<word form=\"good\" polarity=\"0.5\" />")));
  ASSERT_TRUE(xml.ok()) << xml.status();
  EXPECT_EQ(xml->ValueOf("good"), 0.5);
  const auto rows =
      Lexicon::Load(Write("l.jsonl.gz", GzipOf("{\"word\": \"good\", \"value\": 0.8}\n")));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->ValueOf("good"), 0.8);
}

TEST_F(LexiconTest, RefusesFilesWithoutWords) {
  EXPECT_EQ(Lexicon::Load(directory_ + "/none.xml").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Lexicon::Load(Write("e.xml", "<a/>")).status().message()),
              HasSubstr("no entry"));
  EXPECT_THAT(std::string(Lexicon::Load(Write("b.xml", "<word form=\"x\" polarity=\"much\" />"))
                              .status()
                              .message()),
              HasSubstr("is no number"));
  EXPECT_THAT(std::string(Lexicon::Load(Write("b.jsonl", "{\"word\": \"x\"}")).status().message()),
              HasSubstr("value"));
}

}  // namespace
}  // namespace trainyard::eval
