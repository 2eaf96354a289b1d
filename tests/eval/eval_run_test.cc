#include "eval/eval_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "tests/eval/fake_cluster.h"

namespace trainyard::eval {
namespace {

using ::testing::HasSubstr;

class EvalRunTest : public EvalTest {
 protected:
  EvalRunTest() : sad_(*tokenizer_, "bad"), glad_(*tokenizer_, "splendid") {
    Serve("rollout", 0, &sad_);
    Serve("rollout", 1, &glad_);
    Serve("reward", 0, &reward_);
    job_.models = {Model("sft", true), Model("ppo", false)};
    job_.prompts = Prompts(1);
    job_.scored = true;
    job_.bootstrap.resamples = 100;
    const std::string lexicon = Write("l.jsonl",
                                      "{\"word\": \"bad\", \"value\": -0.5}\n"
                                      "{\"word\": \"splendid\", \"value\": 0.5}\n");
    job_.metrics = {{"polarity", MetricKind::kPolarity, lexicon},
                    {"perplexity", MetricKind::kPerplexityUnder, ""},
                    {"kl", MetricKind::kKlToBaseline, ""},
                    {"length", MetricKind::kLengthRatio, ""},
                    {"reviews", MetricKind::kReward, ""},
                    {"top", MetricKind::kTopWordShare, lexicon}};
    Gate gate{"polarity", GateOf::kDelta};
    gate.min = 0.9;
    gate.ci_low_min = 0.9;
    job_.gates = {gate};
  }
  absl::StatusOr<Json> Report(uint64_t epoch) {
    const absl::Status status = RunEval(job_, Assignment(epoch), &session_);
    if (!status.ok()) return status;
    return ReadJsonFile(absl::StrCat(directory_, "/runs/job/e", epoch, "/report/report.json"));
  }
  static Json Metric(const Json& report, const std::string& name) {
    for (const Json& metric : report["metrics"]) {
      if (metric["name"] == name) return metric["models"]["ppo"];
    }
    return Json();
  }
  FakeRollout sad_, glad_;
  FakeReward reward_;
  EvalJob job_;
};

TEST_F(EvalRunTest, ComparesTwoModelsOnTheSamePrompts) {
  const auto report = Report(1);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE((*report)["passed"]);
  EXPECT_DOUBLE_EQ(Metric(*report, "polarity")["delta"]["value"], 1.0);
  EXPECT_NEAR(Metric(*report, "perplexity")["value"].get<double>(), std::exp(0.25), 1e-6);
  // Log-prob -1 a token of its own, -0.5 by the baseline: -0.5 nats a token.
  EXPECT_NEAR(Metric(*report, "kl")["value"].get<double>(),
              -0.5 * Metric(*report, "length")["value"].get<double>(), 1e-6);
  EXPECT_EQ(Metric(*report, "top")["detail"], "splendid");
  EXPECT_EQ((*report)["samples"].size(), 10);
  EXPECT_EQ((*report)["samples"][0]["answers"]["sft"], " bad");
  EXPECT_EQ((*report)["samples"][0]["answers"]["ppo"], " splendid");
  EXPECT_EQ(session_.finished()[0].name, "report");
}

TEST_F(EvalRunTest, AGateThatFailsIsAResult) {
  job_.gates[0].min = 2;
  const auto report = Report(1);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE((*report)["passed"]);
}

TEST_F(EvalRunTest, AnAttemptAfterACrashGivesTheSameReport) {
  const auto undisturbed = Report(1);
  ASSERT_TRUE(undisturbed.ok());
  sad_.answers_given = glad_.answers_given = 0;
  const auto again = Report(2);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *undisturbed);
  EXPECT_EQ(sad_.answers_given + glad_.answers_given, 0);
}

TEST_F(EvalRunTest, MeasuresTextWithoutPrompts) {
  job_.prompts = {};
  job_.metrics.clear();
  job_.scored = false;
  data::SourceSpec text;
  text.name = "text";
  text.paths = {Write("text.jsonl", "{\"text\": \"some words\"}\n{\"text\": \"more\"}\n")};
  job_.text = {text};
  Gate gate{"bits_per_byte", GateOf::kValue};
  gate.max = 2.15;
  job_.gates = {gate};
  const auto report = Report(1);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_NEAR(Metric(*report, "bits_per_byte")["value"].get<double>(), 0.25 / std::log(2), 1e-6);
  EXPECT_TRUE((*report)["passed"]);
}

TEST_F(EvalRunTest, WhatCanNotBeMeasuredIsSaidBeforeATokenIsDrawn) {
  job_.models[0].baseline = false;
  EXPECT_THAT(std::string(Report(1).status().message()),
              HasSubstr("metric \"perplexity\" needs a model marked as baseline"));
  job_.models[0].baseline = true;
  job_.scored = false;
  EXPECT_THAT(std::string(Report(2).status().message()),
              HasSubstr("metric \"reviews\" needs eval.reward"));
  job_.metrics = {{"polarity", MetricKind::kPolarity, directory_ + "/nowhere.xml"}};
  EXPECT_EQ(Report(3).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(sad_.answers_given, 0);
}

}  // namespace
}  // namespace trainyard::eval
