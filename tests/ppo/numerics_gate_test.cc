#include "ppo/numerics_gate.h"

#include "gtest/gtest.h"

namespace trainyard::ppo {
namespace {

task::Peer Of(const std::string& role, uint64_t task_uid, const std::string& numerics_id) {
  return {.task_uid = task_uid, .role = role, .numerics_id = numerics_id};
}

TEST(NumericsGateTest, TheFirstTaskOfARoleDecidesForTheRole) {
  NumericsGate gate({});
  EXPECT_TRUE(gate.Admit(Of("rollout", 1, "cpu")));
  EXPECT_FALSE(gate.Admit(Of("rollout", 2, "cuda")));
  EXPECT_FALSE(gate.Admit(Of("rollout", 2, "cuda")));
  EXPECT_TRUE(gate.Admit(Of("rollout", 3, "cpu")));
  EXPECT_TRUE(gate.Admit(Of("reward", 4, "cuda"))) << "another role may compute otherwise";
  EXPECT_EQ(gate.ids().at("rollout"), "cpu");
  EXPECT_EQ(gate.ids().at("reward"), "cuda");
}

TEST(NumericsGateTest, AResumedRunHasDecidedAlready) {
  NumericsGate gate(std::map<std::string, std::string>{{"rollout", "cuda"}});
  EXPECT_FALSE(gate.Admit(Of("rollout", 1, "cpu")));
  EXPECT_TRUE(gate.Admit(Of("rollout", 2, "cuda")));
}

}  // namespace
}  // namespace trainyard::ppo
