#include "coordinator/spec_roles.h"

#include <gtest/gtest.h>

#include "coordinator/spec_shape.h"
#include "coordinator/spec_validation.h"
#include "tests/coordinator_service/spec_texts.h"

namespace trainyard::coordinator {
namespace {

TEST(SpecRolesTest, TheProgramOfARuleIsTheProgramOfItsRole) {
  for (const char* text :
       {kFake, kPretrain, kSft, kRewardModel, kPpo, kTokenizer, kGenerate, kEval}) {
    const v1::JobSpec spec = Job(text);
    for (const RoleRule& rule : RoleRulesOf(spec)) {
      EXPECT_EQ(BinaryOf(KindOf(spec), rule.name), rule.binary) << text << rule.name;
    }
  }
}

TEST(SpecRolesTest, ControllersAskNoWholeCore) {
  for (const RoleRule& rule : RoleRulesOf(Job(kPpo))) {
    EXPECT_EQ(rule.cpu_milli, rule.name == "controller" ? 100 : 1000);
  }
}

TEST(SpecRolesTest, ThereIsNoProgramForAnUnknownRole) { EXPECT_EQ(BinaryOf("ppo", "cook"), ""); }

}  // namespace
}  // namespace trainyard::coordinator
