#include "agent/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace trainyard::agent {
namespace {

using ::testing::HasSubstr;

constexpr char kLeast[] = "node: node-a\ncoordinator: 127.0.0.1:7433\nwork_dir: /tmp/x\n";

std::string Refusal(const std::string& more) {
  const auto config = ParseAgentConfig(kLeast + more, "agent.yaml");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << more;
  return std::string(config.status().message());
}

TEST(AgentConfig, ReadsEveryField) {
  const auto config = ParseAgentConfig(absl::StrCat(kLeast,
                                           "advertise: 10.0.0.2\n"
                                           "task_ports: 7500-7599\n"
                                           "roots: {data: /mnt/data}\n"
                                           "labels: {pool: train}\n"
                                           "cpu_milli: 2000\n"
                                           "memory_bytes: 1000\n"
                                           "gpus: false\n"
                                           "collective_env: {NCCL_SOCKET_IFNAME: eth1}\n"
                                           "drain_seconds: 5\n"),
                                       "agent.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->node, "node-a");
  EXPECT_EQ(config->advertise, "10.0.0.2");
  EXPECT_EQ(config->roots.at("data"), "/mnt/data");
  EXPECT_EQ(config->labels.at("pool"), "train");
  EXPECT_EQ(config->cpu_milli, 2000);
  EXPECT_FALSE(config->gpus);
  EXPECT_EQ(config->drain, absl::Seconds(5));
}

TEST(AgentConfig, TheExampleForTwoHostsIsRead) {
  const auto config = LoadAgentConfig("deploy/agent.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->node, "host-b");
}

TEST(AgentConfig, AMisspeltFieldNamesLineAndNearestName) {
  EXPECT_EQ(Refusal("cpu_mili: 5\n"),
            "agent.yaml:4: unknown field \"cpu_mili\"; did you mean \"cpu_milli\"?");
}

TEST(AgentConfig, AWrongTypeNamesLineAndType) {
  EXPECT_EQ(Refusal("cpu_milli: many\n"), "agent.yaml:4: cpu_milli must be a whole number");
  EXPECT_THAT(Refusal("roots: [a]\n"), HasSubstr("roots must be a map"));
}

TEST(AgentConfig, BadValuesAreNamed) {
  EXPECT_THAT(Refusal("roots: {data: relative}\n"), HasSubstr("\"relative\" is not an absolute"));
  EXPECT_THAT(Refusal("collective_env: {LD_PRELOAD: x}\n"), HasSubstr("LD_PRELOAD is not allowed"));
  EXPECT_THAT(Refusal("task_ports: 9-8\n"), HasSubstr("not a range of ports"));
  EXPECT_THAT(Refusal("cpu_milli: -1\n"), HasSubstr("must not be negative"));
  EXPECT_THAT(Refusal("x: [\n"), HasSubstr("agent.yaml:"));
  const auto no_address = ParseAgentConfig("node: a\ncoordinator: here\nwork_dir: /x\n", "f");
  EXPECT_THAT(std::string(no_address.status().message()), HasSubstr("write HOST:PORT"));
}

TEST(AgentConfig, AMissingFileIsNamed) {
  EXPECT_EQ(LoadAgentConfig("/no/such.yaml").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace trainyard::agent
