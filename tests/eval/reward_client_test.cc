#include "eval/reward_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using RewardClientTest = EvalTest;

TEST_F(RewardClientTest, AFailureIsAReasonAndNeverANumber) {
  FakeReward reward;
  reward.refused_rows = {2};
  Serve("reward", 0, &reward);
  RewardClient client(session_.Peers().peers[0].endpoint, kTestFence);
  data::Prompt first, second;
  first.row = 1;
  second.row = 2;
  first.token_ids = second.token_ids = {1, 40, 2};
  second.json = R"({"prompt": "q", "answer": "42"})";
  Answer good, bad;
  good.token_ids = bad.token_ids = {50, 3};
  bad.score = 7;
  const absl::Status status =
      client.Score({{&first, 0, &good}, {&second, 0, &bad}}, "hash", absl::Seconds(30));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(good.score, 2);
  EXPECT_EQ(bad.score, std::nullopt);
  EXPECT_EQ(bad.score_error, "SCORE_VERIFIER_ERROR: refused by the test");
  EXPECT_EQ(reward.last_reference, "42");
}

}  // namespace
}  // namespace trainyard::eval
