#include "coordinator/spec_roles.h"

#include <algorithm>

namespace trainyard::coordinator {
namespace {

constexpr char kWorker[] = "trainyard-worker";
constexpr char kRollout[] = "trainyard-rollout";
constexpr char kReward[] = "trainyard-reward";
constexpr char kPpo[] = "trainyard-ppo";
constexpr char kEval[] = "trainyard-eval";
constexpr char kFake[] = "trainyard-fake-task";

// A controller moves messages and computes nothing.
constexpr int64_t kControllerCpuMilli = 100;

RoleRule Controller(const char* binary) {
  return {
      .name = "controller", .binary = binary, .fixed_count = 1, .cpu_milli = kControllerCpuMilli};
}

std::vector<RoleRule> DriverRoles(int models, bool fixed_models, bool reward) {
  std::vector<RoleRule> rules = {Controller(kEval),
                                 {.name = "rollout",
                                  .binary = kRollout,
                                  .default_count = models,
                                  .fixed_count = fixed_models ? models : 0,
                                  .elastic = true}};
  if (reward) rules.push_back({.name = "reward", .binary = kReward, .elastic = true});
  return rules;
}

}  // namespace

std::vector<RoleRule> RoleRulesOf(const v1::JobSpec& spec) {
  switch (spec.kind_case()) {
    case v1::JobSpec::kPretrain:
    case v1::JobSpec::kSft:
    case v1::JobSpec::kRewardModel:
      return {{.name = "trainer", .binary = kWorker}};
    case v1::JobSpec::kTokenizer:
    case v1::JobSpec::kTokenize:
      return {{.name = "trainer", .binary = kWorker, .fixed_count = 1}};
    case v1::JobSpec::kPpo:
      return {Controller(kPpo),
              {.name = "learner", .binary = kWorker},
              {.name = "rollout", .binary = kRollout, .elastic = true},
              {.name = "reward", .binary = kReward, .elastic = true}};
    case v1::JobSpec::kGenerate:
      return DriverRoles(1, false, spec.generate().has_reward());
    case v1::JobSpec::kEval:
      // Rollout task i serves model i: no more and no fewer than there are models.
      return DriverRoles(std::max(1, spec.eval().models_size()), true, spec.eval().has_reward());
    case v1::JobSpec::kFake:
      return {{.name = "trainer", .binary = kFake},
              {.name = "controller",
               .binary = kFake,
               .default_count = 0,
               .fixed_count = 1,
               .cpu_milli = kControllerCpuMilli},
              {.name = "learner", .binary = kFake, .default_count = 0},
              {.name = "rollout", .binary = kFake, .default_count = 0, .elastic = true},
              {.name = "reward", .binary = kFake, .default_count = 0, .elastic = true}};
    case v1::JobSpec::KIND_NOT_SET:
      return {};
  }
  return {};
}

std::string BinaryOf(absl::string_view kind, absl::string_view role) {
  if (kind == "fake") return kFake;
  if (role == "trainer" || role == "learner") return kWorker;
  if (role == "rollout") return kRollout;
  if (role == "reward") return kReward;
  if (role == "controller") return kind == "ppo" ? kPpo : kEval;
  return "";
}

}  // namespace trainyard::coordinator
