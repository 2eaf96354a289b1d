#include "ppo/publication.h"

#include <gtest/gtest.h>

#include "tests/ppo/fakes.h"
#include "tests/support/process.h"

namespace trainyard::ppo {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

struct Rollout {
  FakeRollout service;
  FakeTask task{"rollout", 0, {&service}};
  uint64_t uid() const { return task.peer().task_uid; }
};

task::PeerSnapshot Snapshot(const std::vector<const Rollout*>& rollouts) {
  task::PeerSnapshot snapshot;
  for (const Rollout* rollout : rollouts) snapshot.peers.push_back(rollout->task.peer());
  return snapshot;
}

v1::WeightsManifest Manifest(int64_t version) {
  v1::WeightsManifest manifest;
  manifest.set_version(version);
  return manifest;
}

class PublicationTest : public ::testing::Test {
 protected:
  PublicationTest() { options_.fence = TestFence(); }

  ControllerOptions options_;
  Rollout first_, second_;
  Publication publication_{
      options_, [this](const task::Peer& peer) { return peer.task_uid != refused_; }};
  uint64_t refused_ = 0;
};

TEST_F(PublicationTest, NothingIsServedBeforeTheFirstVersion) {
  EXPECT_EQ(publication_.Reconcile(Snapshot({&first_})), 1);
  EXPECT_EQ(publication_.version(), -1);
  EXPECT_FALSE(publication_.IsCurrent(first_.uid()));
  EXPECT_TRUE(first_.service.loads().empty());
}

TEST_F(PublicationTest, EveryTaskIsBroughtToThePublishedVersion) {
  EXPECT_EQ(publication_.Publish(Manifest(3)), 0) << "nobody served one before";
  EXPECT_EQ(publication_.Reconcile(Snapshot({&first_, &second_})), 2);
  EXPECT_EQ(publication_.WaitForAcknowledgements(2, kPatience), 2);
  EXPECT_TRUE(publication_.IsCurrent(first_.uid()) && publication_.IsCurrent(second_.uid()));
  EXPECT_EQ(first_.service.version(), 3);
  EXPECT_EQ(publication_.Publish(Manifest(4)), 2) << "those are worth waiting for";
  EXPECT_EQ(publication_.WaitForAcknowledgements(2, kPatience), 2);
  EXPECT_EQ(second_.service.loads(), (std::vector<int64_t>{3, 4})) << "each once";
}

TEST_F(PublicationTest, ATaskThatComesLateGetsTheNewestVersionAlone) {
  publication_.Reconcile(Snapshot({&first_}));
  for (int64_t version = 1; version <= 3; ++version) {
    publication_.Publish(Manifest(version));
    ASSERT_EQ(publication_.WaitForAcknowledgements(1, kPatience), 1);
  }
  EXPECT_FALSE(publication_.IsCurrent(second_.uid()));
  publication_.Reconcile(Snapshot({&first_, &second_}));
  EXPECT_EQ(publication_.WaitForAcknowledgements(2, kPatience), 2);
  EXPECT_EQ(second_.service.loads(), std::vector<int64_t>{3});
}

TEST_F(PublicationTest, ATaskThatRefusesIsStaleUntilItAcknowledges) {
  second_.service.refuse_weights = true;
  publication_.Publish(Manifest(1));
  publication_.Reconcile(Snapshot({&first_, &second_}));
  ASSERT_TRUE(trainyard::testing::WaitUntil(
      kPatience, [&] { return second_.service.loads().size() >= 2; })) << "it is asked again";
  EXPECT_EQ(publication_.WaitForAcknowledgements(1, kPatience), 1);
  EXPECT_FALSE(publication_.IsCurrent(second_.uid()));
  second_.service.refuse_weights = false;
  EXPECT_EQ(publication_.WaitForAcknowledgements(2, kPatience), 2);
  EXPECT_TRUE(publication_.IsCurrent(second_.uid()));
}

TEST_F(PublicationTest, ATaskFoundStaleLoadsAgain) {
  publication_.Publish(Manifest(1));
  publication_.Reconcile(Snapshot({&first_}));
  ASSERT_EQ(publication_.WaitForAcknowledgements(1, kPatience), 1);
  first_.service.SetVersion(0);
  publication_.MarkStale(first_.uid());
  EXPECT_EQ(publication_.WaitForAcknowledgements(1, kPatience), 1);
  EXPECT_EQ(first_.service.version(), 1);
  EXPECT_EQ(first_.service.loads(), (std::vector<int64_t>{1, 1}));
}

TEST_F(PublicationTest, ATaskThatMayNotWorkIsNotLoaded) {
  refused_ = first_.uid();
  publication_.Publish(Manifest(1));
  EXPECT_EQ(publication_.Reconcile(Snapshot({&first_, &second_})), 1);
  EXPECT_EQ(publication_.WaitForAcknowledgements(1, kPatience), 1);
  EXPECT_TRUE(first_.service.loads().empty());
}

TEST_F(PublicationTest, WaitingHasAnEnd) {
  publication_.Publish(Manifest(1));
  EXPECT_EQ(publication_.WaitForAcknowledgements(1, absl::Milliseconds(1)), 0);
}

}  // namespace
}  // namespace trainyard::ppo
