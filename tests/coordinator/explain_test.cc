#include "coordinator/core/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

class ExplainTest : public testing::Test {
 protected:
  Explanation Why(const std::string& id) { return *harness_.core().Explain(id); }
  CoreHarness harness_;
};

TEST_F(ExplainTest, NoNodes) {
  const std::string id = harness_.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  EXPECT_EQ(Why(id).constraint, "lost");
  EXPECT_THAT(Why(id).message, HasSubstr("start an agent"));
}

TEST_F(ExplainTest, TheDimensionTheValueAndTheLimit) {
  harness_.Register("a", 1, 4000);
  const std::string cpu = harness_.Submit(TrainDraft("cpu", 1, Asks(0, 9000)));
  EXPECT_EQ(Why(cpu).constraint, "cpu");
  EXPECT_THAT(Why(cpu).message, testing::AllOf(HasSubstr("9000"), HasSubstr("4000")));
  const std::string gpus = harness_.Submit(TrainDraft("gpus", 2, Asks(1, 100)));
  EXPECT_EQ(Why(gpus).constraint, "gpus");
  EXPECT_EQ(Why(gpus).remedy, "add 1 node like a");
  JobDraft rooted = TrainDraft("rooted", 1, Asks(0, 100));
  rooted.shape.roots = {"archive"};
  EXPECT_EQ(Why(harness_.Submit(rooted)).constraint, "roots");
  JobDraft zoned = TrainDraft("zoned", 1, Asks(0, 100));
  zoned.shape.roles[0].resources.node_selector = {{"zone", "b"}};
  const Explanation selector = Why(harness_.Submit(zoned));
  EXPECT_EQ(selector.constraint, "selector");
  EXPECT_EQ(selector.remedy, "drop the node_selector");
}

TEST_F(ExplainTest, RemediesAreVerifiedByPlacingAgain) {
  harness_.Register("a", 1, 4000);
  const std::string gang = harness_.Submit(TrainDraft("gang", 4, Asks(1, 100)));
  EXPECT_EQ(Why(gang).remedy, "add 3 nodes like a");
  harness_.Register("b", 1, 4000);
  harness_.Register("c", 1, 4000);
  EXPECT_EQ(harness_.job(gang).state, JobState::kQueued);
  harness_.Register("d", 1, 4000);
  EXPECT_EQ(harness_.job(gang).state, JobState::kActive);
  EXPECT_EQ(Why(gang).constraint, "") << "nothing holds it";
}

TEST_F(ExplainTest, ACordonedNodeThatWouldDo) {
  harness_.Register("a", 0, 4000);
  harness_.Step(CordonNode{1, "alice", "a", false});
  const std::string id = harness_.Submit(TrainDraft("t", 1, Asks(0, 1000)));
  EXPECT_EQ(Why(id).constraint, "cordon");
  EXPECT_EQ(Why(id).remedy, "uncordon node a");
  harness_.Step(CordonNode{2, "alice", "a", true});
  EXPECT_EQ(harness_.job(id).state, JobState::kActive);
}

TEST_F(ExplainTest, TheQueueTheBackoffThePauseAndWhatItWaitsFor) {
  harness_.Register("a", 0, 4000);
  const std::string running = harness_.Submit(TrainDraft("running", 1, Asks(0, 1000)));
  harness_.Submit(TrainDraft("large", 1, Asks(0, 4000)));
  const std::string small = harness_.Submit(TrainDraft("small", 1, Asks(0, 1000)));
  EXPECT_EQ(Why(small).constraint, "queue");
  EXPECT_EQ(Why(small).remedy, "raise its priority");
  ASSERT_TRUE(harness_.Change(JobVerb::kPause, small).ok());
  EXPECT_EQ(Why(small).constraint, "paused");
  JobDraft later = TrainDraft("later", 1, Asks(0, 1000));
  later.shape.after = {"running"};
  EXPECT_THAT(Why(harness_.Submit(later)).message, HasSubstr("'running'"));
  ASSERT_TRUE(harness_.Change(JobVerb::kCancel, "large").ok());
  harness_.AllReady(running);
  harness_.AllExit(running, EndClass::kInternal);
  harness_.Pass(absl::Milliseconds(600));
  EXPECT_EQ(Why(running).constraint, "backoff");
  EXPECT_TRUE(absl::IsNotFound(harness_.core().Explain("nobody").status()));
}

}  // namespace
}  // namespace trainyard::coordinator
