#include "coordinator/cluster_service.h"

#include <gmock/gmock.h>

#include "base/version.h"
#include "tests/coordinator_service/service_fixture.h"

namespace trainyard::coordinator {
namespace {

class ClusterServiceTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    agent_ = Agent("a");
    agent_->Await([](const v1::CoordinatorToAgent& order) { return order.has_registered(); });
  }
  v1::Node Node() {
    const auto nodes =
        AskCluster(&v1::ClusterService::Stub::ListNodes, v1::ListNodesRequest());
    EXPECT_TRUE(nodes.ok()) << nodes.status();
    return nodes.ok() && nodes->nodes_size() == 1 ? nodes->nodes(0) : v1::Node();
  }
  auto Cordon(const std::string& node, bool uncordon) {
    v1::CordonNodeRequest request;
    request.set_node(node);
    request.set_uncordon(uncordon);
    return AskCluster(&v1::ClusterService::Stub::CordonNode, request);
  }

  std::unique_ptr<AgentLine> agent_;
};

TEST_F(ClusterServiceTest, ANodeIsShownWithWhatItOffersAndWhatIsInUse) {
  EXPECT_EQ(Node().name(), "a");
  EXPECT_EQ(Node().host(), "a.example");
  EXPECT_EQ(Node().cpu_milli(), 4000);
  EXPECT_EQ(Node().cpu_milli_used(), 0);
  ASSERT_TRUE(Submit(Named("job"), "r").ok());
  Assignments(*agent_, 1);
  EXPECT_GT(Node().cpu_milli_used(), 0);
}

TEST_F(ClusterServiceTest, ACordonedNodeGetsNoNewTasksUntilItIsUncordoned) {
  const auto cordoned = Cordon("a", false);
  ASSERT_TRUE(cordoned.ok()) << cordoned.status();
  EXPECT_TRUE(cordoned->cordoned());
  ASSERT_TRUE(Submit(Named("job"), "r").ok());
  EXPECT_EQ(Get("job")->state(), v1::QUEUED);
  EXPECT_FALSE(Cordon("a", true)->cordoned());
  EXPECT_EQ(Assignments(*agent_, 1).size(), 1u);
}

TEST_F(ClusterServiceTest, ADrainedNodeIsCordonedToo) {
  v1::DrainNodeRequest request;
  request.set_node("a");
  const auto drained = AskCluster(&v1::ClusterService::Stub::DrainNode, request);
  ASSERT_TRUE(drained.ok()) << drained.status();
  EXPECT_TRUE(Node().cordoned());
}

TEST_F(ClusterServiceTest, ANodeThatIsNotThereIsNamed) {
  const auto refused = Cordon("b", false);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rpc::DetailOf(refused.status())->reason, "NO_SUCH_NODE");
}

TEST_F(ClusterServiceTest, TheStatusCountsJobsByState) {
  ASSERT_TRUE(Submit(Named("x"), "r1").ok());
  ASSERT_TRUE(Submit(Job(kFake, {"name=y", "roles=[{name: trainer, count: 64}]"}), "r2").ok());
  ASSERT_TRUE(Cancel("y").ok());
  const auto status =
      AskCluster(&v1::ClusterService::Stub::GetClusterStatus, v1::GetClusterStatusRequest());
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->term(), 1u);
  EXPECT_EQ(status->version(), kVersion);
  EXPECT_EQ(status->jobs_by_state().at("CANCELLED"), 1);
  EXPECT_EQ(status->read_only_reason(), "");
}

}  // namespace
}  // namespace trainyard::coordinator
