#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace trainyard {
namespace {

TEST(IdsTest, NamesFollowTheRule) {
  for (const char* good : {"a", "sft-1", "a0"}) EXPECT_TRUE(ValidateName("job", good).ok()) << good;
  for (const char* bad : {"", "1a", "A", "a_b", "a-", "-a", "../x"}) {
    EXPECT_EQ(ValidateName("job", bad).code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(ValidateName("job", std::string(64, 'a')).ok());
  EXPECT_TRUE(ValidateName("job", std::string(63, 'a')).ok());
}

TEST(IdsTest, RandomIdsDoNotRepeatAndSecretsHave64Digits) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(RandomId("x"));
  EXPECT_EQ(ids.size(), 1000);
  EXPECT_EQ(RandomSecret().size(), 64);
  EXPECT_NE(RandomSecret(), RandomSecret());
}

TEST(IdsTest, TheNearestNameIsFoundAndANonsenseNameHasNone) {
  const std::vector<std::string> known = {"learning_rate", "optimizer", "loop"};
  EXPECT_EQ(NearestName("optimiser", known), "optimizer");
  EXPECT_EQ(NearestName("lop", known), "loop");
  EXPECT_EQ(NearestName("xyz", known), "");
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

}  // namespace
}  // namespace trainyard
