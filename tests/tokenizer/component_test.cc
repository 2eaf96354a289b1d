#include "tokenizer/component.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;

TEST(ComponentTest, HasATypeAndIsAnObject) {
  EXPECT_EQ(*ComponentType({{"type", "NFC"}}, "t"), "NFC");
  EXPECT_FALSE(ComponentType({{"kind", "NFC"}}, "t").ok());
  EXPECT_THAT(std::string(ComponentType(Json("NFC"), "t: normalizer").status().message()),
              HasSubstr("t: normalizer: not an object"));
}

TEST(ComponentTest, ACharacterIsOne) {
  const Json json = {{"good", "▁"}, {"long", "ab"}, {"empty", ""}};
  const JsonReader reader(json, "t");
  EXPECT_EQ(*ReadCharacter(reader, "good", "t"), "▁");
  EXPECT_FALSE(ReadCharacter(reader, "long", "t").ok());
  EXPECT_FALSE(ReadCharacter(reader, "empty", "t").ok());
}

TEST(ComponentTest, ASequenceHoldsNothingElse) {
  const Json json = {{"type", "Sequence"}, {"steps", Json::array({1})}};
  EXPECT_EQ((*ReadSequence(json, "steps", "t"))->size(), 1);
  EXPECT_FALSE(ReadSequence(json, "others", "t").ok());
}

TEST(ComponentTest, ASequenceInASequenceIsOneRow) {
  const Json inner = {{"type", "Sequence"}, {"steps", Json::array({{{"type", "B"}}})}};
  const Json outer = {{"type", "Sequence"},
                      {"steps", Json::array({{{"type", "A"}}, inner, {{"type", "C"}}})}};
  std::vector<const Json*> steps;
  ASSERT_TRUE(FlattenSequence(outer, "steps", "t", &steps).ok());
  std::string types;
  for (const Json* step : steps) types += (*step)["type"].get<std::string>();
  EXPECT_EQ(types, "ABC");
  EXPECT_FALSE(FlattenSequence(outer, "parts", "t", &steps).ok());
}

TEST(ComponentTest, MetaspaceHasTwoFormsThatMustAgree) {
  Json json = {{"type", "Metaspace"}, {"replacement", "▁"}};
  EXPECT_EQ(ReadMetaspace(json, "t")->prepend, Metaspace::Prepend::kAlways);
  json["add_prefix_space"] = false;
  EXPECT_EQ(ReadMetaspace(json, "t")->prepend, Metaspace::Prepend::kNever);
  json["prepend_scheme"] = "first";
  EXPECT_THAT(std::string(ReadMetaspace(json, "t").status().message()), HasSubstr("contradicts"));
  json["add_prefix_space"] = true;
  EXPECT_EQ(ReadMetaspace(json, "t")->prepend, Metaspace::Prepend::kFirst);
  json["prepend_scheme"] = "last";
  EXPECT_THAT(std::string(ReadMetaspace(json, "t").status().message()),
              HasSubstr("always, first and never are"));
}

TEST(ComponentTest, RefusalsNameWhatThereIs) {
  EXPECT_EQ(UnsupportedType("t: decoder", "CTC", "A and B").message(),
            "t: decoder CTC is not supported; A and B are");
}

}  // namespace
}  // namespace trainyard::tokenizer
