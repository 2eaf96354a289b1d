#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"

namespace trainyard::eval {
namespace {

double MeanOf(const std::vector<double>& values, absl::Span<const int32_t> drawn) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[i] * drawn[i];
  return sum / static_cast<double>(values.size());
}

TEST(BootstrapTest, TheIntervalOfAMeanIsThatOfTheNormalApproximation) {
  const CounterRandom random(5);
  std::vector<double> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = random.UniformDouble(i);
  const Interval interval =
      Bootstrap(1000, {}, [&](absl::Span<const int32_t> drawn) { return MeanOf(values, drawn); });
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / 1000;
  const double half = 1.96 * std::sqrt(1.0 / 12 / 1000);
  EXPECT_NEAR(interval.low, mean - half, 0.002);
  EXPECT_NEAR(interval.high, mean + half, 0.002);
}

TEST(BootstrapTest, EachResampleDrawsAsManyItemsAndSeedsDecide) {
  std::vector<double> first, again, other;
  const auto record = [](std::vector<double>* into) {
    return [into](absl::Span<const int32_t> drawn) {
      EXPECT_EQ(std::accumulate(drawn.begin(), drawn.end(), 0), 20);
      into->push_back(drawn[0] * 100 + drawn[1]);
      return 0.0;
    };
  };
  Bootstrap(20, {50, 1}, record(&first));
  Bootstrap(20, {50, 1}, record(&again));
  Bootstrap(20, {50, 2}, record(&other));
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_EQ(first.size(), 50);
}

TEST(BootstrapTest, PairedDifferencesOfEqualThingsHaveNoWidth) {
  const Interval interval = Bootstrap(10, {100, 1}, [](absl::Span<const int32_t>) { return 0.25; });
  EXPECT_EQ(interval.low, 0.25);
  EXPECT_EQ(interval.high, 0.25);
}

}  // namespace
}  // namespace trainyard::eval
