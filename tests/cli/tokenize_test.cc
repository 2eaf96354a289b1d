#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <sstream>

#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/cli/verb_harness.h"
#include "tests/support/byte_tokenizer.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class TokenizeTest : public VerbTest {
 protected:
  // A token per byte, and <|end|> as 256.
  void SetUp() override {
    ASSERT_TRUE(MakeDirectories(model_).ok());
    const auto tokenizer = testing::ByteTokenizer({"<|end|>"});
    ASSERT_TRUE(tokenizer::SaveTokenizer(*tokenizer, {}, model_).ok());
  }

  const std::string model_ = dir().File("runs/demo/model");
};

TEST_F(TokenizeTest, ATextIsShownAsItsTokensAndTheirBytes) {
  const Ran ran = RunLine({"tokenize", model_, "hi!"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.out, "3 tokens: 104 105 33\nh|i|!\n");
  EXPECT_EQ(RunLine({"tokenize", model_ + "/tokenizer.json", "hi!"}).out, ran.out);
}

TEST_F(TokenizeTest, JsonIsAListOfIdsPerText) {
  EXPECT_EQ(RunLine({"tokenize", model_, "hi", "!", "-o", "json"}).out, "[104,105]\n[33]\n");
}

TEST_F(TokenizeTest, SpecialTokensInATextAreTextUnlessAskedFor) {
  EXPECT_THAT(RunLine({"tokenize", model_, "<|end|>"}).out, HasSubstr("7 tokens: "));
  EXPECT_THAT(RunLine({"tokenize", model_, "<|end|>", "--special"}).out,
              HasSubstr("1 tokens: 256\n"));
}

TEST_F(TokenizeTest, TheTokenizersOwnTemplateIsPutAroundWhenAskedFor) {
  Json json = *ReadJsonFile(model_ + "/tokenizer.json");
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", Json::array({{{"SpecialToken", {{"id", "<|end|>"}, {"type_id", 0}}}},
                              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}})},
      {"pair", Json::array()},
      {"special_tokens",
       {{"<|end|>",
         {{"id", "<|end|>"}, {"ids", Json::array({256})}, {"tokens", Json::array({"<|end|>"})}}}}}};
  ASSERT_TRUE(WriteFileAtomically(model_ + "/tokenizer.json", json.dump()).ok());
  EXPECT_THAT(RunLine({"tokenize", model_, "hi", "--special"}).out, HasSubstr("tokens: 104 105\n"));
  EXPECT_THAT(RunLine({"tokenize", model_, "hi", "--surround"}).out,
              HasSubstr("tokens: 256 104 105\n"));
}

TEST_F(TokenizeTest, WithoutATextItIsStandardInput) {
  std::istringstream text("hi");
  std::streambuf* const before = std::cin.rdbuf(text.rdbuf());
  const Ran ran = RunLine({"tokenize", model_});
  std::cin.rdbuf(before);
  EXPECT_THAT(ran.out, HasSubstr("2 tokens: 104 105\n"));
}

TEST_F(TokenizeTest, IdsAreTurnedIntoTextAndThoseOutsideTheVocabularyNamed) {
  EXPECT_EQ(RunLine({"tokenize", model_, "--decode", "104", "105", "256"}).out, "hi<|end|>\n");
  for (const char* id : {"257", "-1"}) {
    const Ran ran = RunLine({"tokenize", model_, "--decode", id});
    EXPECT_EQ(ran.code, kUsage);
    EXPECT_THAT(ran.err,
                HasSubstr(std::string("token ") + id + " is outside the vocabulary (0 .. 256)"));
  }
}

TEST_F(TokenizeTest, AnOutputOfAJobIsATokenizer) {
  Succeeded("demo");
  const Ran ran = Run({"tokenize", "demo/model", "hi", "--root", "runs=" + dir().File("runs")});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("2 tokens: 104 105\n"));
}

TEST_F(TokenizeTest, ADirectoryBelowARootIsATokenizer) {
  const std::string root = "runs=" + dir().File("runs");
  const Ran ran = Run({"tokenize", "root://runs/demo/model", "hi", "--root", root});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("2 tokens: 104 105\n"));
  EXPECT_EQ(Run({"tokenize", "root://runs/nobody", "hi", "--root", root}).code, kNotFound);
}

TEST_F(TokenizeTest, WhatIsNeitherAFileNorAnOutputIsSaidToBeNeither) {
  const Ran ran = Run({"tokenize", "nobody/model", "hi"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("nobody/model is no file here, and no output of a job"));
  ExpectMissing({"tokenize"}, "TOKENIZER");
}

}  // namespace
}  // namespace trainyard::cli
