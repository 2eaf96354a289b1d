#include "worker/policy_service.h"

#include <gtest/gtest.h>

#include "rpc/status.h"
#include "tests/worker/served_learner.h"

namespace trainyard::worker {
namespace {

class PolicyServiceTest : public ::testing::Test {
 protected:
  ServedLearner served_;
};

TEST_F(PolicyServiceTest, AnUpdateReportsEachMinibatchAndARepeatGetsTheSameResult) {
  const auto requests = ServedLearner::Requests(TinyUpdate(0, 9, 1));
  int progress = 0;
  const auto first = served_.Update(requests, &progress);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(progress, 4);
  EXPECT_EQ(first->version(), 1);
  EXPECT_EQ(first->metrics().at("first_ratio_distance"), 0);
  const auto again = served_.Update(requests);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->weights_digest(), first->weights_digest());
}

TEST_F(PolicyServiceTest, WhatArrivesOtherwiseThanAnnouncedIsRefused) {
  auto requests = ServedLearner::Requests(TinyUpdate(0, 9, 1));
  requests[1].mutable_trajectories()->mutable_trajectories(0)->set_score(100);
  EXPECT_EQ(served_.Update(requests).status().code(), absl::StatusCode::kDataLoss);
  requests = ServedLearner::Requests(TinyUpdate(0, 9, 1));
  requests.pop_back();
  EXPECT_FALSE(served_.Update(requests).ok());
  EXPECT_TRUE(served_.Update(ServedLearner::Requests(TinyUpdate(0, 9, 1))).ok());
}

TEST_F(PolicyServiceTest, ADigestThatDiffersIsNoNumberThatIsNotFinite) {
  auto requests = ServedLearner::Requests(TinyUpdate(0, 9, 1));
  requests[1].mutable_trajectories()->mutable_trajectories(0)->set_score(100);
  EXPECT_FALSE(rpc::DetailOf(served_.Update(requests).status()).has_value())
      << "the job would never be tried again";
}

}  // namespace
}  // namespace trainyard::worker
