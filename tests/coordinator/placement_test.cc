#include "coordinator/core/placement.h"

#include <gtest/gtest.h>

#include <deque>

#include "tests/coordinator/core_harness.h"

namespace trainyard::coordinator {
namespace {

// A room of nodes with so many gpus and milli-cpu each.
struct TestRoom {
  explicit TestRoom(const std::vector<std::pair<int, int64_t>>& nodes) {
    offers.resize(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      NodeRoom node;
      node.name = names.emplace_back("node-" + std::to_string(i));
      node.offer = &offers[i];
      node.cpu_milli = nodes[i].second;
      node.memory_bytes = int64_t{64} << 30;
      for (int g = 0; g < nodes[i].first; ++g) {
        const std::string uuid = names[0] + "-" + std::to_string(i) + "-" + std::to_string(g);
        node.gpus.push_back({names.emplace_back(uuid), 1, {}, {}});
      }
      room.nodes.push_back(node);
    }
  }
  std::deque<std::string> names;
  std::vector<NodeOffer> offers;
  Room room;
};

const std::vector<std::string> kNoRoots;

PlacementRequest Request(const std::vector<Resources>& asks) {
  PlacementRequest request;
  request.job_id = "job-1";
  request.roots = &kNoRoots;
  for (size_t i = 0; i < asks.size(); ++i) {
    request.seats.push_back({"r", static_cast<int>(i), &asks[i]});
  }
  return request;
}

TEST(PlacementTest, AGangGoesToOneNodeWhenOneHasRoom) {
  TestRoom nodes({{1, 8000}, {2, 8000}});
  const std::vector<Resources> asks(2, Asks(1, 1000));
  const auto places = PlaceAll(Request(asks), nodes.room);
  ASSERT_TRUE(places.has_value());
  EXPECT_EQ((*places)[0].node, "node-1");
  EXPECT_EQ((*places)[1].node, "node-1");
  EXPECT_NE((*places)[0].gpus, (*places)[1].gpus);
}

TEST(PlacementTest, AGangIsPlacedWholeOrNotAtAll) {
  TestRoom nodes({{1, 8000}, {1, 8000}});
  const std::vector<Resources> three(3, Asks(1, 1000));
  EXPECT_FALSE(PlaceAll(Request(three), nodes.room).has_value());
  EXPECT_EQ(nodes.room.nodes[0].cpu_milli, 8000) << "a refused gang takes nothing";
  const std::vector<Resources> two(2, Asks(1, 1000));
  EXPECT_TRUE(CanPlaceAll(Request(two), nodes.room));
  EXPECT_EQ(nodes.room.nodes[0].cpu_milli, 8000) << "a question takes nothing";
  EXPECT_TRUE(PlaceAll(Request(two), nodes.room).has_value());
  EXPECT_EQ(nodes.room.nodes[0].cpu_milli, 7000);
}

TEST(PlacementTest, LargeTasksComeFirstSoThatSmallOnesDoNotBlockThem) {
  TestRoom nodes({{0, 3000}, {0, 1000}});
  const std::vector<Resources> asks = {Asks(0, 1000), Asks(0, 3000)};
  const auto places = PlaceAll(Request(asks), nodes.room);
  ASSERT_TRUE(places.has_value());
  EXPECT_EQ((*places)[1].node, "node-0");
  EXPECT_EQ((*places)[0].node, "node-1");
}

Resources Shared(const std::string& group, double fraction) {
  Resources resources = Asks(1, 100);
  resources.device_group = group;
  resources.gpu_memory_fraction = fraction;
  return resources;
}

TEST(PlacementTest, AGroupSharesADeviceWhileItsFractionsFit) {
  TestRoom nodes({{2, 8000}});
  const std::vector<Resources> asks = {Shared("g", 0.4), Shared("g", 0.4), Shared("g", 0.4)};
  const auto places = PlaceAll(Request(asks), nodes.room);
  ASSERT_TRUE(places.has_value());
  EXPECT_EQ((*places)[0].gpus, (*places)[1].gpus);
  EXPECT_NE((*places)[0].gpus, (*places)[2].gpus) << "1.2 devices do not fit on one";
}

TEST(PlacementTest, OtherGroupsOtherJobsAndLonersDoNotShare) {
  TestRoom nodes({{1, 8000}});
  const std::vector<Resources> groups = {Shared("g", 0.4), Shared("h", 0.4)};
  EXPECT_FALSE(PlaceAll(Request(groups), nodes.room).has_value());
  const std::vector<Resources> loner = {Shared("g", 0.4), Asks(1, 100)};
  EXPECT_FALSE(PlaceAll(Request(loner), nodes.room).has_value());
  const std::vector<Resources> first = {Shared("g", 0.4)};
  ASSERT_TRUE(PlaceAll(Request(first), nodes.room).has_value());
  PlacementRequest other = Request(first);
  other.job_id = "job-2";
  EXPECT_FALSE(PlaceAll(other, nodes.room).has_value());
  EXPECT_TRUE(PlaceAll(Request(first), nodes.room).has_value());
}

TEST(PlacementTest, SelectorsAndRootsMustHold) {
  NodeOffer offer;
  offer.labels = {{"zone", "b"}};
  offer.roots = {{"runs", "c"}};
  Resources asks;
  EXPECT_TRUE(Eligible(offer, asks, {"runs"}));
  EXPECT_FALSE(Eligible(offer, asks, {"runs", "data"}));
  asks.node_selector = {{"zone", "a"}};
  EXPECT_FALSE(Eligible(offer, asks, {}));
  asks.node_selector = {{"zone", "b"}};
  EXPECT_TRUE(Eligible(offer, asks, {}));
}

TEST(PlacementTest, AvoidedNodesAreNotUsed) {
  TestRoom nodes({{0, 8000}, {0, 8000}});
  const std::set<std::string> avoid = {"node-0"};
  const std::vector<Resources> asks = {Asks(0, 1000)};
  PlacementRequest request = Request(asks);
  request.avoid = &avoid;
  EXPECT_EQ(PlaceAll(request, nodes.room)->front().node, "node-1");
}

TEST(PlacementTest, AGangHasEveryFixedTaskAndTheLeastOfEachElasticRole) {
  JobRecord job;
  JobShape shape = PpoDraft("p", 3).shape;
  shape.roles[2].min_count = 2;
  job.shape = std::make_shared<const JobShape>(shape);
  job.wanted = {{"rollout", 3}};
  EXPECT_EQ(GangOf(job).size(), 4);
  job.wanted = {{"rollout", 0}};
  EXPECT_EQ(GangOf(job).size(), 2) << "zero rollouts, by explicit scale only";
}

TEST(PlacementTest, OnlyNodesThatTakeTasksHaveRoom) {
  CoreHarness harness;
  harness.Register("a", 1, 4000);
  harness.Register("b", 1, 4000);
  harness.Register("c", 1, 4000);
  harness.Disconnect("b");
  harness.Step(CordonNode{1, "alice", "c", false});
  const Room room = MakeRoom(harness.state(), Occupied::kByTasks);
  ASSERT_EQ(room.nodes.size(), 1);
  EXPECT_EQ(room.nodes[0].name, "a");
  harness.Submit(TrainDraft("t", 1, Asks(1, 1000)));
  EXPECT_EQ(MakeRoom(harness.state(), Occupied::kByTasks).nodes[0].cpu_milli, 3000);
  EXPECT_EQ(MakeRoom(harness.state(), Occupied::kByNobody).nodes[0].cpu_milli, 4000);
}

}  // namespace
}  // namespace trainyard::coordinator
