#include "data/samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer/chat_template.h"

namespace trainyard::data {
namespace {

using ::testing::ElementsAre;

TEST(MemorySamplesTest, KeepsIdsAndFlagsAndCountsTargets) {
  MemorySamples samples;
  samples.Add({5, 6, 7}, {});
  samples.Add({8, 9}, {tokenizer::kTrained, tokenizer::kTag});
  EXPECT_EQ(samples.count(), 2);
  EXPECT_EQ(samples.TrainedTokens(0), 2);  // the first token is nobody's target
  EXPECT_EQ(samples.TrainedTokens(1), 0);
  std::vector<int32_t> ids;
  std::vector<uint8_t> flags;
  samples.Append(0, 1, 3, &ids, &flags);
  samples.Append(1, 0, 1, &ids, nullptr);
  EXPECT_THAT(ids, ElementsAre(6, 7, 8));
  EXPECT_EQ(flags.size(), 2);
}

TEST(MemorySamplesTest, TheFingerprintFollowsTokensFlagsAndBorders) {
  MemorySamples one, other_border, other_flag, same;
  one.Add({1, 2}, {});
  one.Add({3}, {});
  same.Add({1, 2}, {});
  same.Add({3}, {});
  other_border.Add({1}, {});
  other_border.Add({2, 3}, {});
  other_flag.Add({1, 2}, {0, 0});
  other_flag.Add({3}, {});
  EXPECT_EQ(one.Fingerprint(), same.Fingerprint());
  EXPECT_NE(one.Fingerprint(), other_border.Fingerprint());
  EXPECT_NE(one.Fingerprint(), other_flag.Fingerprint());
}

}  // namespace
}  // namespace trainyard::data
