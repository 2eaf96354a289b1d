#include "data/pass_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/data/fixture.h"

namespace trainyard::data {
namespace {

using ::testing::ElementsAre;

class PassOrderTest : public DataTest {
 protected:
  SourceSpec Lines(const std::string& name, int count) const {
    return Source(name, DocumentLines(count), SourceFormat::kTextPerLine);
  }
  static std::map<int32_t, int64_t> CountBySource(const std::vector<SampleRef>& order) {
    std::map<int32_t, int64_t> counts;
    for (const SampleRef& ref : order) ++counts[ref.source];
    return counts;
  }
};

TEST(ApportionByWeightTest, SharesAreExactToOneSample) {
  EXPECT_THAT(ApportionByWeight({1, 1, 1}, 10), ElementsAre(4, 3, 3));
  EXPECT_THAT(ApportionByWeight({3, 0, 1}, 1000), ElementsAre(750, 0, 250));
  EXPECT_THAT(ApportionByWeight({0, 0}, 10), ElementsAre(0, 0));
}

TEST_F(PassOrderTest, WithoutSharesEverySampleComesOnceInAnOrderOfItsOwnEachPass) {
  const auto dataset = Load(Objective::kPretrain, {Lines("a", 30), Lines("b", 50)}, 16);
  const auto first = PassOrder(*dataset, 5, 0), second = PassOrder(*dataset, 5, 1);
  EXPECT_EQ(first, PassOrder(*dataset, 5, 0));
  EXPECT_NE(first, second);
  EXPECT_NE(first, PassOrder(*dataset, 6, 0));
  std::set<std::pair<int32_t, int64_t>> seen;
  for (const SampleRef& ref : first) seen.insert({ref.source, ref.sample});
  EXPECT_EQ(seen.size(), 80);
  EXPECT_EQ(first.size(), 80);
}

TEST_F(PassOrderTest, WeightsGiveExactSharesAndNoSampleComesTwiceBeforeAllCameOnce) {
  SourceSpec a = Lines("a", 30), b = Lines("b", 90);
  a.share.weight = 3;
  b.share.weight = 1;
  const auto dataset = Load(Objective::kPretrain, {a, b}, 16);
  std::map<std::pair<int32_t, int64_t>, int> seen;
  for (int64_t pass = 0; pass < 3; ++pass) {
    const auto order = PassOrder(*dataset, 5, pass);
    EXPECT_EQ(CountBySource(order), (std::map<int32_t, int64_t>{{0, 90}, {1, 30}}));
    for (const SampleRef& ref : order) ++seen[{ref.source, ref.sample}];
  }
  for (const auto& [ref, count] : seen) EXPECT_EQ(count, ref.first == 0 ? 9 : 1);
  EXPECT_EQ(seen.size(), 120);
}

TEST_F(PassOrderTest, PassesOfASourceMayBeFractions) {
  SourceSpec a = Lines("a", 20), b = Lines("b", 20);
  a.share.passes = 2.5;
  b.share.passes = 0.25;
  const auto order = PassOrder(*Load(Objective::kPretrain, {a, b}, 16), 5, 0);
  EXPECT_EQ(CountBySource(order), (std::map<int32_t, int64_t>{{0, 50}, {1, 5}}));
}

TEST_F(PassOrderTest, ATokenBudgetIsFilledByReshuffledPassesToWithinOneDocument) {
  SourceSpec a = Lines("a", 40), b = Lines("b", 40);
  a.share.token_budget = 3000;  // more than one pass
  b.share.token_budget = 200;
  const auto dataset = Load(Objective::kPretrain, {a, b}, 16);
  std::map<int32_t, int64_t> tokens, longest;
  std::map<int64_t, int> seen;
  for (const SampleRef& ref : PassOrder(*dataset, 5, 0)) {
    const int64_t size = dataset->source(ref.source).Tokens(ref.sample) + 1;
    tokens[ref.source] += size;
    longest[ref.source] = std::max(longest[ref.source], size);
    if (ref.source == 0) ++seen[ref.sample];
  }
  for (const auto& [source, budget] : {std::pair(0, 3000), std::pair(1, 200)}) {
    EXPECT_GE(tokens[source], budget);
    EXPECT_LT(tokens[source], budget + longest[source]);
  }
  int least = 100, most = 0;
  for (const auto& [sample, count] : seen) {
    least = std::min(least, count);
    most = std::max(most, count);
  }
  EXPECT_EQ(seen.size(), 40);
  EXPECT_LE(most - least, 1);
}

TEST_F(PassOrderTest, RatedGroupsAreDrawnAnewEachPassInsideOneGroupName) {
  const auto dataset = Load(Objective::kRewardModel, {Source("r", RatedRows(100))}, 64);
  std::map<int64_t, std::string> name_of;
  for (const RatedPool& pool : dataset->pools(0)) {
    for (const int64_t sample : pool.samples) name_of[sample] = pool.name;
  }
  std::set<std::vector<int64_t>> groups_of_passes;
  for (int64_t pass = 0; pass < 3; ++pass) {
    std::set<int64_t> seen;
    for (const GroupRef& group : PassGroups(*dataset, 4, 5, pass)) {
      ASSERT_EQ(group.samples.size(), 4);
      for (const int64_t sample : group.samples) {
        EXPECT_EQ(name_of[sample], name_of[group.samples[0]]);
        EXPECT_TRUE(seen.insert(sample).second);
      }
      std::vector<int64_t> sorted = group.samples;
      std::sort(sorted.begin(), sorted.end());
      groups_of_passes.insert(sorted);
    }
    EXPECT_EQ(seen.size(), 8 * 4 + 8 * 4 + 8 * 4);  // 34, 33, 33 rated rows
  }
  EXPECT_GT(groups_of_passes.size(), 24 * 2);
}

TEST_F(PassOrderTest, AFileSortedByRatingIsNotCutIntoClosePairs) {
  const auto dataset = Load(Objective::kRewardModel, {Source("r", RatedRows(96))}, 64);
  const std::vector<GroupRef> groups = FileGroups(*dataset, 8);
  const RatedPool& pool = dataset->pools(0)[0];
  ASSERT_EQ(pool.samples.size(), 32);
  int64_t neighbours = 0;
  for (size_t g = 0; g < 4; ++g) {
    std::vector<int64_t> sorted = groups[g].samples;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 1; i < sorted.size(); ++i) {
      const auto at = std::find(pool.samples.begin(), pool.samples.end(), sorted[i]);
      neighbours += at != pool.samples.begin() && *(at - 1) == sorted[i - 1];
    }
  }
  EXPECT_LT(neighbours, 14) << "of 28 when cut as they stand";
  const std::vector<GroupRef> again = FileGroups(*dataset, 8);
  EXPECT_EQ(groups[0].samples, again[0].samples);
}

TEST_F(PassOrderTest, ASmallPoolIsOneGroupAndFileOrderLosesNoPairs) {
  const auto dataset = Load(Objective::kRewardModel, {Source("r", RatedRows(9))}, 64);
  EXPECT_EQ(PassGroups(*dataset, 4, 5, 0).size(), 3);
  EXPECT_EQ(PassGroups(*dataset, 4, 5, 0)[0].samples.size(), 3);
  EXPECT_EQ(FileGroups(*dataset, 2).size(), 3);
  EXPECT_EQ(FileGroups(*dataset, 9)[0].samples.size(), 3);
}

}  // namespace
}  // namespace trainyard::data
