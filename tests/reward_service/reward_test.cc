#include "reward_service/reward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reward_service/items.h"

namespace trainyard::reward_service {
namespace {

using ::testing::HasSubstr;

RewardOptions Options() {
  RewardOptions options;
  options.components = {{"digits", 2, RegexOptions{"\\d", 1}},
                        {"clean", 1, ForbiddenWordsOptions{{"bad"}, 1}}};
  return options;
}

TEST(Reward, GivesEveryComponentAndTheirSum) {
  const auto reward = Reward::Create(Options());
  ASSERT_TRUE(reward.ok()) << reward.status();
  const auto scored =
      (*reward)->Score({TextItem("bad 1"), TextItem("none")}, absl::InfiniteFuture());
  ASSERT_EQ(scored[0].components.size(), 2u);
  EXPECT_EQ(scored[0].components[0].raw, 1);
  EXPECT_EQ(scored[0].components[1].raw, -1);
  EXPECT_EQ(*scored[0].combined.score, 1);
  EXPECT_EQ(*scored[1].combined.score, 0);
}

TEST(Reward, ItsHashChangesWithAnythingThatChangesAScore) {
  const std::string hash = (*Reward::Create(Options()))->hash();
  EXPECT_EQ(hash, (*Reward::Create(Options()))->hash());
  RewardOptions other = Options();
  other.components[0].weight = 3;
  EXPECT_NE(hash, (*Reward::Create(other))->hash());
  other = Options();
  other.combine = "min";
  EXPECT_NE(hash, (*Reward::Create(other))->hash());
  other = Options();
  other.components[1].scorer = ForbiddenWordsOptions{{"worse"}, 1};
  EXPECT_NE(hash, (*Reward::Create(other))->hash());
}

TEST(Reward, WrongOptionsAreRefusedByName) {
  const auto message = [](auto change) {
    RewardOptions options = Options();
    change(options);
    const auto reward = Reward::Create(options);
    EXPECT_FALSE(reward.ok());
    return std::string(reward.status().message());
  };
  EXPECT_THAT(message([](auto& o) { o.components.clear(); }), HasSubstr("empty"));
  EXPECT_THAT(message([](auto& o) { o.components[1].name = "digits"; }), HasSubstr("digits"));
  EXPECT_THAT(message([](auto& o) { o.components[1].name = ""; }), HasSubstr("components[1]"));
  EXPECT_THAT(message([](auto& o) { o.components[0].scorer = RegexOptions{"(", 1}; }),
              HasSubstr("component \"digits\""));
  EXPECT_THAT(message([](auto& o) { o.combine = "gate", o.components.pop_back(); }),
              HasSubstr("gate"));
}

}  // namespace
}  // namespace trainyard::reward_service
