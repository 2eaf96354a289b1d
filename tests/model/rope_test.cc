#include "model/rope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace trainyard::model {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Rope Parsed(const Json& json) {
  std::vector<std::string> ignored;
  const auto rope = ParseRope(json, "c", 512, &ignored);
  EXPECT_TRUE(rope.ok()) << rope.status();
  EXPECT_THAT(ignored, IsEmpty());
  return rope.value_or(Rope());
}

std::string ErrorOf(const Json& json) {
  std::vector<std::string> ignored;
  const auto rope = ParseRope(json, "dir/config.json", 512, &ignored);
  EXPECT_TRUE(absl::IsInvalidArgument(rope.status())) << json;
  EXPECT_THAT(std::string(rope.status().message()), HasSubstr("dir/config.json"));
  return std::string(rope.status().message());
}

std::vector<float> Frequencies(const Rope& rope, int64_t head_width) {
  std::vector<float> powers;
  for (int64_t i = 0; i < head_width / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(head_width);
    powers.push_back(static_cast<float>(std::pow(rope.theta, exponent)));
  }
  RopeFrequencies(rope, absl::MakeSpan(powers));
  return powers;
}

TEST(RopeTest, OldAndNewFormsSayTheSame) {
  const Json old_form = {{"rope_theta", 500.0},
                         {"rope_scaling", {{"type", "linear"}, {"factor", 4}}}};
  const Json new_form = {
      {"rope_parameters", {{"rope_type", "linear"}, {"factor", 4.0}, {"rope_theta", 500.0}}}};
  for (const Json& json : {old_form, new_form}) {
    const Rope rope = Parsed(json);
    EXPECT_EQ(rope.theta, 500.0);
    EXPECT_EQ(rope.scaling.type, RopeType::kLinear);
    EXPECT_EQ(rope.scaling.factor, 4.0);
  }
  EXPECT_EQ(Parsed({{"rope_scaling", nullptr}}).scaling, RopeScaling());
  EXPECT_EQ(Parsed(Json::object()).theta, 10000.0);
}

// As transformers does: its own files never hold two that differ.
TEST(RopeTest, RopeScalingGoesBeforeRopeParameters) {
  const Json json = {{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 7.0}}},
                     {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}}};
  EXPECT_EQ(Parsed(json).scaling.factor, 2.0);
  EXPECT_EQ(Parsed(json).theta, 10000.0);
}

TEST(RopeTest, WhatIsNotSupportedIsNamedWithWhatIs) {
  for (const char* type : {"dynamic", "longrope", "mrope"}) {
    EXPECT_THAT(ErrorOf({{"rope_scaling", {{"type", type}, {"factor", 2.0}}}}),
                AllOf(HasSubstr(type), HasSubstr("default, linear, llama3, yarn")));
  }
  EXPECT_THAT(ErrorOf({{"partial_rotary_factor", 0.5}}), HasSubstr("partial_rotary_factor 0.5"));
  EXPECT_THAT(ErrorOf({{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}),
              HasSubstr("rope_parameters.partial_rotary_factor 0.5"));
  EXPECT_THAT(ErrorOf({{"rope_parameters", {{"full_attention", {{"rope_theta", 1.0}}}}}}),
              HasSubstr("full_attention"));
  EXPECT_THAT(ErrorOf({{"rope_scaling", {{"type", "linear"}}}}), HasSubstr("factor"));
  EXPECT_THAT(ErrorOf({{"rope_scaling", {{"type", "llama3"}, {"factor", 8.0}}}}),
              HasSubstr("low_freq_factor"));
  EXPECT_THAT(ErrorOf({{"rope_scaling", "linear"}}), HasSubstr("rope_scaling"));
}

TEST(RopeTest, AKeyOfAnotherTypeIsReported) {
  std::vector<std::string> ignored;
  const Json json = {{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}, {"finetuned", true}}}};
  ASSERT_TRUE(ParseRope(json, "c", 512, &ignored).ok());
  EXPECT_THAT(ignored, ElementsAre("c: rope_scaling.finetuned true means nothing to type linear"));
}

TEST(RopeTest, ImpossibleNumbersAreRefused) {
  const auto message = [](const auto& change) {
    Rope rope{10000.0, {RopeType::kLlama3, 8.0, 32}};
    EXPECT_TRUE(ValidateRope(rope).ok());
    change(rope);
    return std::string(ValidateRope(rope).message());
  };
  EXPECT_THAT(message([](Rope& r) { r.theta = 0; }), HasSubstr("theta is 0"));
  EXPECT_THAT(message([](Rope& r) { r.scaling.factor = -1; }), HasSubstr("factor is -1"));
  EXPECT_THAT(message([](Rope& r) { r.scaling.original_positions = 0; }),
              HasSubstr("context is 0"));
  EXPECT_THAT(message([](Rope& r) { r.scaling.low_frequency_factor = 4; }),
              HasSubstr("low_freq_factor is 4"));
  const auto yarn = [](Rope& r) { r = {1.0, {RopeType::kYarn, 8.0, 32}}; };
  EXPECT_THAT(message(yarn), HasSubstr("greater than 1"));
}

TEST(RopeTest, LinearDividesEveryFrequency) {
  EXPECT_THAT(Frequencies({100.0, {RopeType::kLinear, 4.0}}, 4), ElementsAre(0.25f, 0.025f));
}

// Wave lengths 2 pi theta^(2i/E): 6.3, 20, 63, 199 and 628 of a context of 128.
TEST(RopeTest, Llama3KeepsShortWavesAndDividesLongOnes) {
  Rope rope{std::pow(10.0, 2.5), {RopeType::kLlama3, 8.0, 128}};
  const std::vector<float> plain = Frequencies({rope.theta, {}}, 10);
  const std::vector<float> stretched = Frequencies(rope, 10);
  EXPECT_EQ(stretched[0], plain[0]);
  EXPECT_EQ(stretched[1], plain[1]);
  const double smooth = (128.0 / (2.0 * M_PI / 0.1) - 1.0) / 3.0;
  EXPECT_NEAR(stretched[2], 0.1 * (smooth + (1.0 - smooth) / 8.0), 1e-6);
  EXPECT_FLOAT_EQ(stretched[3], plain[3] / 8.0f);
  EXPECT_FLOAT_EQ(stretched[4], plain[4] / 8.0f);
}

TEST(RopeTest, YarnGoesFromKeptToDividedAlongItsRamp) {
  const Rope rope =
      Parsed({{"rope_theta", 10000.0},
              {"rope_scaling",
               {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 64}}}});
  EXPECT_NEAR(rope.scaling.attention_factor, 0.1 * std::log(4.0) + 1.0, 1e-12);
  // The dimension that turns once in 64 positions: 16 ln(64 / 2 pi) / (2 ln 10000) = 2.02.
  const std::vector<float> plain = Frequencies({rope.theta, {}}, 16);
  const std::vector<float> stretched = Frequencies(rope, 16);
  EXPECT_EQ(stretched[0], plain[0]);
  EXPECT_NEAR(stretched[1], plain[1] * (2.0 / 3 + 1.0 / 3 / 4), 1e-6);
  EXPECT_NEAR(stretched[2], plain[2] * (1.0 / 3 + 2.0 / 3 / 4), 1e-6);
  for (size_t i = 3; i < 8; ++i) EXPECT_FLOAT_EQ(stretched[i], plain[i] / 4.0f);
}

TEST(RopeTest, YarnsAttentionFactorMayBeGivenOrFollowFromTwoScales) {
  Json yarn = {{"type", "yarn"}, {"factor", 4.0}, {"mscale", 0.7}, {"mscale_all_dim", 0.4}};
  const double both = (0.07 * std::log(4.0) + 1.0) / (0.04 * std::log(4.0) + 1.0);
  EXPECT_NEAR(Parsed({{"rope_scaling", yarn}}).scaling.attention_factor, both, 1e-12);
  yarn["attention_factor"] = 1.5;
  EXPECT_EQ(Parsed({{"rope_scaling", yarn}}).scaling.attention_factor, 1.5);
  EXPECT_EQ(Parsed({{"rope_scaling", yarn}}).scaling.original_positions, 512);
}

TEST(RopeTest, WhatIsWrittenIsReadBack) {
  RopeScaling yarn{RopeType::kYarn, 3.0, 77};
  yarn.attention_factor = 1.25;
  yarn.truncate = false;
  for (const RopeScaling& scaling : {RopeScaling(), RopeScaling{RopeType::kLinear, 2.5},
                                     RopeScaling{RopeType::kLlama3, 8.0, 64, 1.5, 3.0}, yarn}) {
    Json json;
    WriteRope({123.0, scaling}, &json);
    for (const char* left_out : {"rope_parameters", "rope_scaling", "nothing"}) {
      Json part = json;
      if (scaling.type != RopeType::kDefault) part.erase(left_out);
      EXPECT_EQ(Parsed(part).scaling, scaling) << part;
      EXPECT_EQ(Parsed(part).theta, 123.0) << part;
    }
  }
}

}  // namespace
}  // namespace trainyard::model
