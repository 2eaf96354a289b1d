#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace trainyard {
namespace {

using testing::HasSubstr;

TEST(JsonTest, ABrokenDocumentIsNamedWithTheByte) {
  const auto parsed = ParseJson("{\"a\": }", "config.json");
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("config.json is not JSON, byte 7"));
}

TEST(JsonTest, ANumberThatNoDoubleHoldsIsRefused) {
  const auto parsed = ParseJson("{\"rope_theta\": 122e1212}", "config.json");
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("config.json is not read: "));
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("122e1212"));
}

TEST(JsonTest, FieldsAreTypedAndErrorsNameTheFieldAndItsValue) {
  const Json object = *ParseJson(R"({"n": 3, "x": 0.5, "s": "t", "b": true, "z": null})", "doc");
  const JsonReader reader(object, "doc");
  EXPECT_EQ(*reader.Int("n"), 3);
  EXPECT_EQ(*reader.Double("n"), 3.0);
  EXPECT_EQ(*reader.Double("x"), 0.5);
  EXPECT_EQ(*reader.String("s"), "t");
  EXPECT_EQ(*reader.Bool("b"), true);
  EXPECT_EQ(*reader.Int("absent", 9), 9);
  EXPECT_EQ(*reader.Int("z", 8), 8);
  EXPECT_THAT(std::string(reader.Int("x").status().message()),
              HasSubstr("doc: field \"x\" is 0.5, not an integer"));
  EXPECT_THAT(std::string(reader.String("absent").status().message()), HasSubstr("is missing"));
  EXPECT_FALSE(reader.Object("s").ok());
  EXPECT_FALSE(reader.Array("s").ok());
}

TEST(JsonTest, AnUnknownFieldSuggestsTheNearest) {
  const Json object = *ParseJson(R"({"hiden_size": 3})", "doc");
  EXPECT_THAT(std::string(JsonReader(object, "doc").OnlyFields({"hidden_size"}).message()),
              HasSubstr("unknown field \"hiden_size\", did you mean \"hidden_size\"?"));
}

TEST(JsonTest, AnAbsentFileIsNotFound) {
  EXPECT_EQ(ReadJsonFile("/nonexistent/x.json").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace trainyard
