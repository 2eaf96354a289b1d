#include "tokenizer/post_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json Template(const std::string& special, const Json& ids) {
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({{{"SpecialToken", {{"id", special}, {"type_id", 0}}}},
                                  {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}})},
          {"pair", Json::array()},
          {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", ids}, {"tokens", Json::array()}}}}}};
}

std::string Message(const Json& json) {
  return std::string(PostProcessor::Make(json, "t: post_processor").status().message());
}

TEST(PostProcessorTest, PutsATemplateAround) {
  EXPECT_THAT(PostProcessor::Make(Template("<s>", {1, 2}), "t")->Apply({7, 8}),
              ElementsAre(1, 2, 7, 8));
  const Json sequence = {
      {"type", "Sequence"},
      {"processors", Json::array({{{"type", "ByteLevel"}}, Template("<s>", Json::array({1}))})}};
  EXPECT_THAT(PostProcessor::Make(sequence, "t")->Apply({7}), ElementsAre(1, 7));
}

TEST(PostProcessorTest, NoneAndByteLevelChangeNoId) {
  EXPECT_THAT(PostProcessor::Make(Json(), "t")->Apply({7}), ElementsAre(7));
  EXPECT_THAT(PostProcessor::Make({{"type", "ByteLevel"}}, "t")->Apply({7}), ElementsAre(7));
}

TEST(PostProcessorTest, RefusesByName) {
  EXPECT_THAT(
      Message({{"type", "RobertaProcessing"}}),
      HasSubstr("t: post_processor RobertaProcessing is not supported; TemplateProcessing"));
  EXPECT_THAT(Message(Template("</s>", {1})), HasSubstr("no ids for \"</s>\""));
  EXPECT_THAT(Message(Template("<s>", {-1})), HasSubstr("no ids for \"<s>\""));
  EXPECT_THAT(Message({{"type", "Sequence"},
                       {"processors", Json::array({Template("<s>", Json::array({1})),
                                                   Template("<s>", Json::array({1}))})}}),
              HasSubstr("a second TemplateProcessing"));
  Json both = Template("<s>", {1});
  both["single"][1]["Sequence"]["id"] = "B";
  EXPECT_THAT(Message(both), HasSubstr("sequence \"B\""));
}

}  // namespace
}  // namespace trainyard::tokenizer
