#include "eval/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

class VerdictTest : public ::testing::Test {
 protected:
  VerdictTest() {
    input_.models = {"sft", "ppo"};
    input_.baseline = "sft";
    input_.bootstrap = {200, 1};
    Measured before, after;
    for (int row = 0; row < 50; ++row) {
      before.numerators.push_back(row % 5);
      after.numerators.push_back(row % 5 + 1);  // each row by exactly 1 more
    }
    before.denominators.assign(50, 1);
    after.denominators.assign(50, 1);
    input_.metrics.push_back({"reward", {{"sft", before}, {"ppo", after}}});
    Measured half, quarter;
    half.corpus_value = 0.5;
    quarter.corpus_value = 0.25;
    quarter.detail = "best";
    input_.metrics.push_back({"distinct", {{"sft", half}, {"ppo", quarter}}});
  }
  Json Run() {
    const auto verdict = Verdict(input_);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return *verdict;
  }
  VerdictInput input_;
};

TEST_F(VerdictTest, PairedDifferencesAreNarrowerThanTheValuesThemselves) {
  const Json metric = Run()["metrics"][0]["models"]["ppo"];
  EXPECT_DOUBLE_EQ(metric["value"], 3);
  EXPECT_LT(metric["ci_low"].get<double>(), 2.8);
  EXPECT_DOUBLE_EQ(metric["delta"]["value"], 1);
  EXPECT_NEAR(metric["delta"]["ci_low"].get<double>(), 1, 1e-9);
  EXPECT_DOUBLE_EQ(metric["ratio"]["value"], 1.5);
  EXPECT_FALSE(Run()["metrics"][0]["models"]["sft"].contains("delta"));
  EXPECT_EQ(Run()["metrics"][1]["models"]["ppo"]["detail"], "best");
  EXPECT_FALSE(Run()["metrics"][1]["models"]["ppo"].contains("ci_low"));
}

TEST_F(VerdictTest, GatesSayTheirBoundsAndWhetherTheyHold) {
  Gate delta{"reward", GateOf::kDelta};
  delta.min = 0.8;
  delta.ci_low_min = 0.5;
  Gate ratio{"distinct", GateOf::kRatio};
  ratio.min = 0.6;
  ratio.max = 1.4;
  input_.gates = {delta};
  Json verdict = Run();
  EXPECT_EQ(verdict["gates"][0]["bound"], ">= 0.8, interval >= 0.5");
  EXPECT_EQ(verdict["gates"][0]["model"], "ppo");
  EXPECT_TRUE(verdict["passed"]);
  input_.gates.push_back(ratio);
  verdict = Run();
  EXPECT_EQ(verdict["gates"].size(), 2);
  EXPECT_FALSE(verdict["gates"][1]["ok"]);
  EXPECT_DOUBLE_EQ(verdict["gates"][1]["value"], 0.5);
  EXPECT_FALSE(verdict["passed"]);
}

TEST_F(VerdictTest, AValueThatIsNotFiniteHoldsNoGate) {
  input_.metrics[1].by_model["sft"].corpus_value = 0;
  Gate ratio{"distinct", GateOf::kRatio};
  ratio.max = 1e300;
  input_.gates = {ratio};
  EXPECT_FALSE(Run()["passed"]);
  EXPECT_TRUE(Run()["gates"][0]["value"].is_null());
}

TEST_F(VerdictTest, GatesThatCanNotBeJudgedAreRefused) {
  const auto error = [this](const Gate& gate) {
    input_.gates = {gate};
    const auto verdict = Verdict(input_);
    EXPECT_EQ(verdict.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(verdict.status().message());
  };
  Gate gate{"polarity", GateOf::kValue};
  gate.min = 1;
  EXPECT_THAT(error(gate),
              HasSubstr("a gate names metric \"polarity\"; there are distinct, reward"));
  gate.metric = "distinct";
  gate.ci_low_min = 0;
  EXPECT_THAT(error(gate), HasSubstr("has no interval"));
  input_.baseline.reset();
  gate = {"reward", GateOf::kDelta};
  gate.min = 0;
  EXPECT_THAT(error(gate), HasSubstr("needs a model marked as baseline"));
}

}  // namespace
}  // namespace trainyard::eval
