#include "cli/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

TEST(ReportTextTest, AMetricHasItsDifferenceToTheBaseline) {
  const Json report = Json::parse(R"({"metrics": [{"name": "variety", "models": {
      "ppo": {"value": 0.75, "ci_low": 0.5, "ci_high": 1,
              "delta": {"value": 0.25, "ci_low": 0.125, "ci_high": 0.5}},
      "sft": {"value": 0.5}}}],
      "gates": [{"metric": "variety", "of": "delta", "value": 0.25, "bound": ">= 0.2",
                 "ok": true}]})");
  EXPECT_EQ(ReportText(report),
            "METRIC   MODEL  VALUE          DIFFERENCE\n"
            "variety  ppo    0.75 [0.5, 1]  0.25 [0.125, 0.5]\n"
            "variety  sft    0.5            -\n"
            "gate variety (delta) 0.25 >= 0.2: holds\n");
}

TEST(ReportTextTest, AMetricThatTheBaselineHasNotIsADashAndNotTheEndOfTheProgram) {
  const Json report = Json::parse(R"({"gates": null, "metrics": [
      {"name": "kl", "models": {"ppo": {"value": 1}, "sft": null}}]})");
  EXPECT_THAT(ReportText(report), HasSubstr("kl      sft    -      -\n"));
}

}  // namespace
}  // namespace trainyard::cli
