#include "kernels/thread_pool.h"

#include <gtest/gtest.h>

#include <vector>

namespace trainyard::kernels {
namespace {

TEST(ThreadPool, EveryItemRunsExactlyOnce) {
  for (int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 2000; ++round) {
      const int count = round % 23;
      std::vector<int> runs(count, 0);
      pool.ForEach(count, [&](int i, int) { ++runs[i]; });
      for (int i = 0; i < count; ++i) ASSERT_EQ(runs[i], 1) << round << " " << i;
    }
  }
}

TEST(ThreadPool, AnItemSeesWhatTheRegionBeforeWrote) {
  ThreadPool pool(3);
  std::vector<int> values(64, 0);
  for (int round = 0; round < 500; ++round) {
    pool.ForEach(64, [&](int i, int) { values[i] = round; });
    pool.ForEach(64, [&](int i, int) { ASSERT_EQ(values[63 - i], round); });
  }
}

}  // namespace
}  // namespace trainyard::kernels
