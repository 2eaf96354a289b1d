#include "coordinator/metrics_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.h"

namespace trainyard::coordinator {
namespace {

using ::testing::ElementsAre;

class FixedClock : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1000000); }
  absl::Duration Monotonic() const override { return absl::ZeroDuration(); }
};

class MetricsStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<MetricsStore> Open(MetricsStoreOptions options = {}) {
    options.path = dir_.File("metrics.db");
    auto store = MetricsStore::Open(options, clock_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  static std::vector<int64_t> Steps(const MetricsStore& store, const std::string& job) {
    std::vector<int64_t> steps;
    const auto points = store.Read(job, 0, 10000);
    for (const MetricPoint& point : *points) steps.push_back(point.step);
    return steps;
  }
  MetricPoint Point(int64_t step, std::map<std::string, double> values,
                    absl::Duration age = absl::ZeroDuration()) {
    return {step, clock_.Now() - age, std::move(values)};
  }

  testing::TempDir dir_;
  FixedClock clock_;
};

TEST_F(MetricsStoreTest, PointsComeBackByStepAndOutliveTheProcess) {
  {
    const auto store = Open();
    store->Add("job", Point(2, {{"loss", 0.5}}));
    store->Add("job", Point(1, {{"loss", 1.5}, {"lr", 1e-3}}));
    store->Add("other", Point(1, {{"loss", 9}}));
  }
  const auto points = Open()->Read("job", 0, 100);
  ASSERT_TRUE(points.ok());
  ASSERT_EQ(points->size(), 2u);
  EXPECT_EQ((*points)[0].step, 1);
  EXPECT_EQ((*points)[0].values.at("lr"), 1e-3);
  EXPECT_EQ((*points)[1].values.at("loss"), 0.5);
}

TEST_F(MetricsStoreTest, WhatARunStartsFromIsStepZeroAndIsThere) {
  const auto store = Open();
  store->Add("job", Point(0, {{"eval_loss", 5}}));
  ASSERT_TRUE(store->Flush().ok());
  ASSERT_EQ(store->Read("job", 0, 100)->size(), 1u);
  EXPECT_TRUE(store->Read("job", 1, 100)->empty());
}

TEST_F(MetricsStoreTest, ASecondReportOfAStepAddsToTheFirst) {
  const auto store = Open();
  store->Add("job", Point(1, {{"loss", 1}, {"lr", 2}}));
  store->Add("job", Point(1, {{"loss", 3}, {"eval_loss", 4}}));
  ASSERT_TRUE(store->Flush().ok());
  const auto points = store->Read("job", 0, 100);
  EXPECT_EQ((*points)[0].values,
            (std::map<std::string, double>{{"loss", 3}, {"lr", 2}, {"eval_loss", 4}}));
}

TEST_F(MetricsStoreTest, ManyPointsAreThinnedEvenlyAndKeepTheLast) {
  const auto store = Open({.row_interval = absl::ZeroDuration()});
  for (int step = 1; step <= 1000; ++step) store->Add("job", Point(step, {{"x", 1.0 * step}}));
  ASSERT_TRUE(store->Flush().ok());
  const auto points = store->Read("job", 0, 10);
  EXPECT_EQ(points->size(), 10u);
  EXPECT_EQ(points->back().step, 1000);
  EXPECT_EQ(store->Read("job", 990, 100)->size(), 11u);
}

TEST_F(MetricsStoreTest, AJobKeepsOneRowASecondWithItsFirstItsLastAndItsValidations) {
  const auto store = Open();
  // Ten steps a second for three seconds, validated at step 13.
  for (int step = 0; step < 30; ++step) {
    store->Add("job", Point(step, {{"loss", 1.0 * step}}, absl::Milliseconds(5000 - 100 * step)));
    if (step == 13) store->Add("job", Point(step, {{"eval_loss", 7}}, absl::Milliseconds(3690)));
    if (step == 5) {
      ASSERT_TRUE(store->Flush().ok());
      EXPECT_THAT(Steps(*store, "job"), ElementsAre(0, 5)) << "the newest is always there";
    }
  }
  ASSERT_TRUE(store->Flush().ok());
  EXPECT_THAT(Steps(*store, "job"), ElementsAre(0, 10, 13, 20, 29));
  const auto points = store->Read("job", 13, 100);
  EXPECT_EQ((*points)[0].values, (std::map<std::string, double>{{"loss", 13}, {"eval_loss", 7}}));
}

TEST_F(MetricsStoreTest, JobsAreThinnedEachByItself) {
  const auto store = Open();
  for (int step = 0; step < 4; ++step) {
    store->Add("fast", Point(step, {{"x", 1}}, absl::Milliseconds(400 - 100 * step)));
    store->Add("slow", Point(step, {{"x", 1}}, absl::Seconds(8 - 2 * step)));
  }
  ASSERT_TRUE(store->Flush().ok());
  EXPECT_THAT(Steps(*store, "fast"), ElementsAre(0, 3));
  EXPECT_THAT(Steps(*store, "slow"), ElementsAre(0, 1, 2, 3));
}

TEST_F(MetricsStoreTest, AnAttemptThatGoesBackReportsOverWhatIsThere) {
  {
    const auto store = Open();
    for (int step = 0; step < 5; ++step) {
      store->Add("job", Point(step, {{"x", 1}}, absl::Seconds(20 - 2 * step)));
    }
  }
  const auto store = Open();  // and the coordinator started again meanwhile
  for (int step = 3; step < 7; ++step) {
    store->Add("job", Point(step, {{"x", 2}}, absl::Seconds(14 - 2 * step)));
  }
  ASSERT_TRUE(store->Flush().ok());
  EXPECT_THAT(Steps(*store, "job"), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  const auto points = store->Read("job", 3, 100);
  EXPECT_EQ(points->front().values.at("x"), 2);
}

TEST_F(MetricsStoreTest, OldRowsAreThinnedToOneAMinute) {
  const auto store = Open();
  for (int step = 1; step <= 20; ++step) {
    const char* name = step == 7 ? "eval_x" : "x";
    store->Add("old", Point(step, {{name, 1}}, absl::Hours(30) - absl::Seconds(2 * step)));
    store->Add("new", Point(step, {{"x", 1}}, absl::Minutes(2) - absl::Seconds(2 * step)));
  }
  ASSERT_TRUE(store->Maintain().ok());
  EXPECT_THAT(Steps(*store, "old"), ElementsAre(1, 7, 9, 20))
      << "first, validation, last of each minute";
  EXPECT_EQ(store->Read("new", 0, 100)->size(), 20u);
}

TEST_F(MetricsStoreTest, OverTheCapTheOldestJobGoesFirst) {
  const auto store = Open({.row_interval = absl::ZeroDuration(), .max_size_bytes = 400 << 10});
  const std::map<std::string, double> wide = {{std::string(200, 'a'), 1}};
  for (int step = 1; step <= 1000; ++step) {
    store->Add("first", Point(step, wide, absl::Hours(2)));
    store->Add("second", Point(step, wide));
  }
  ASSERT_TRUE(store->Maintain().ok());
  EXPECT_TRUE(store->Read("first", 0, 10)->empty());
  EXPECT_FALSE(store->Read("second", 0, 10)->empty());
}

}  // namespace
}  // namespace trainyard::coordinator
