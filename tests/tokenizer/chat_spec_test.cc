#include "tokenizer/chat_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

ChatTemplateSpec Full() {
  ChatTemplateSpec spec;
  spec.name = "mine";
  spec.begin = "<s>";
  spec.roles["system"] = {"<sys>", "</sys>"};
  spec.roles["user"] = {"Q: ", "\n", true};
  spec.roles["assistant"] = {"A:", "</s>"};
  spec.end_of_turn = "</s>";
  spec.answer_begin = " ";
  spec.default_system = "Help.";
  spec.system_place = SystemPlace::kLastUser;
  spec.alternate = true;
  spec.thinking = Thinking::kOff;
  return spec;
}

TEST(ChatSpecTest, EveryFieldGoesThroughJson) {
  const Json json = ChatTemplateJson(Full());
  const auto again = ParseChatTemplate(json, "spec");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ChatTemplateJson(*again), json);
  EXPECT_EQ(again->system_place, SystemPlace::kLastUser);
  EXPECT_EQ(again->thinking, Thinking::kOff);
  EXPECT_TRUE(again->alternate);
  EXPECT_TRUE(again->roles.at("user").trim);
  EXPECT_FALSE(again->roles.at("assistant").trim);
}

TEST(ChatSpecTest, ATemplateOfTagsAloneIsWrittenAsItWasBeforeThereWereOtherFields) {
  ChatTemplateSpec spec;
  spec.roles["user"] = {"<|user|>", ""};
  spec.roles["assistant"] = {"<|assistant|>", "<|end|>"};
  spec.end_of_turn = "<|end|>";
  EXPECT_EQ(ChatTemplateJson(spec).dump(),
            R"({"begin":"","end_of_turn":"<|end|>","roles":{"assistant":{"prefix":)"
            R"("<|assistant|>","suffix":"<|end|>"},"user":{"prefix":"<|user|>","suffix":""}}})");
}

TEST(ChatSpecTest, APlaceForSystemMessagesNeedsTheirRole) {
  for (const char* place : {"first_user", "last_user", "begin"}) {
    Json json = ChatTemplateJson(Full());
    json["system_place"] = place;
    EXPECT_TRUE(ParseChatTemplate(json, "spec").ok()) << place;
    json["roles"].erase("system");
    EXPECT_THAT(std::string(ParseChatTemplate(json, "spec").status().message()),
                HasSubstr("spec: system_place is given, and roles have no \"system\""));
  }
}

TEST(ChatSpecTest, WhatIsUnknownIsNamed) {
  Json json = ChatTemplateJson(Full());
  json["role"] = 1;
  EXPECT_THAT(std::string(ParseChatTemplate(json, "spec").status().message()), HasSubstr("role"));
  json = ChatTemplateJson(Full());
  json["thinking"] = "hard";
  EXPECT_THAT(std::string(ParseChatTemplate(json, "spec").status().message()),
              HasSubstr("spec: thinking is \"hard\""));
  json = ChatTemplateJson(Full());
  json["roles"]["user"]["infix"] = "";
  EXPECT_THAT(std::string(ParseChatTemplate(json, "spec").status().message()),
              HasSubstr("roles.user"));
}

}  // namespace
}  // namespace trainyard::tokenizer
