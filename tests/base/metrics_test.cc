#include "base/metrics.h"

#include <gtest/gtest.h>

namespace trainyard {
namespace {

TEST(MetricsTest, PrintsFamiliesWithSortedSeriesAndEscapedLabels) {
  Metrics metrics;
  metrics.Describe("trainyard_jobs", "gauge", "Jobs by state.");
  metrics.Set("trainyard_jobs", {{"state", "QUEUED"}}, 2);
  metrics.Set("trainyard_jobs", {{"state", "A\"\\\n"}}, 1.5);
  metrics.Add("trainyard_commits_total", {}, 1);
  metrics.Add("trainyard_commits_total", {}, 2);
  EXPECT_EQ(metrics.PrometheusText(),
            "# TYPE trainyard_commits_total untyped\n"
            "trainyard_commits_total 3\n"
            "# HELP trainyard_jobs Jobs by state.\n"
            "# TYPE trainyard_jobs gauge\n"
            "trainyard_jobs{state=\"A\\\"\\\\\\n\"} 1.5\n"
            "trainyard_jobs{state=\"QUEUED\"} 2\n");
}

TEST(MetricsTest, ARemovedSeriesIsGone) {
  Metrics metrics;
  metrics.Set("x", {{"task", "a"}}, 1);
  metrics.Remove("x", {{"task", "a"}});
  EXPECT_EQ(metrics.PrometheusText(), "# TYPE x untyped\n");
}

}  // namespace
}  // namespace trainyard
