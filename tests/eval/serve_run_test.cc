#include "eval/serve_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

class ServeRunTest : public EvalTest {
 protected:
  ServeRunTest() : rollout_(*tokenizer_, "fine") {
    Serve("rollout", 0, &rollout_);
    rollout_.rate_changes = false;
    job_.model = Model("model", false);
    job_.serve_idle = absl::Milliseconds(20);
  }
  FakeRollout rollout_;
  GenerateJob job_;
};

TEST_F(ServeRunTest, EndsWithoutOutputsWhenNobodyCalls) {
  rollout_.busy_looks = 0;
  const absl::Status status = RunServe(job_, Assignment(1), &session_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(session_.is_finished());
  EXPECT_TRUE(session_.finished().empty());
}

TEST_F(ServeRunTest, GoesOnWhileSomebodyCalls) {
  // Far more looks than fit into the time that ends a job nobody calls.
  rollout_.busy_looks = 3000;
  ASSERT_TRUE(RunServe(job_, Assignment(1), &session_).ok());
  EXPECT_GT(rollout_.looks(), 3000);
}

TEST_F(ServeRunTest, ACallThatWasOverBetweenTwoLooksCountsByTheRateItLeft) {
  rollout_.busy_looks = 0;
  rollout_.rate_changes = true;
  rollout_.looks_with_new_rate = 3000;
  ASSERT_TRUE(RunServe(job_, Assignment(1), &session_).ok());
  EXPECT_GT(rollout_.looks(), 3000);
}

TEST_F(ServeRunTest, WithoutARolloutTaskItDoesNotWaitForEver) {
  session_.SetPeers({});
  EXPECT_EQ(RunServe(job_, Assignment(1), &session_).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(session_.is_finished());
}

}  // namespace
}  // namespace trainyard::eval
