// What every back end must do, told once: each case runs one function per rank.

#ifndef TRAINYARD_TESTS_COLLECTIVE_GROUP_CASES_H_
#define TRAINYARD_TESTS_COLLECTIVE_GROUP_CASES_H_

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "collective/group.h"

namespace trainyard::collective {

inline void OnEveryRank(const std::vector<std::unique_ptr<Group>>& groups,
                        const std::function<void(Group&)>& body) {
  std::vector<std::thread> threads;
  for (const std::unique_ptr<Group>& group : groups) {
    threads.emplace_back([&body, &group] { body(*group); });
  }
  for (std::thread& thread : threads) thread.join();
}

// Exercises all calls on a group of any size.
inline void ExpectGroupComputes(Group& group) {
  const int world = group.world_size();
  const int rank = group.rank();
  const at::Tensor sum = at::full({5}, rank + 1.0, at::kDouble);
  ASSERT_TRUE(group.AllReduce(sum).ok());
  EXPECT_EQ(sum[4].item<double>(), world * (world + 1) / 2.0);

  const at::Tensor all = at::zeros({world, 3});
  ASSERT_TRUE(group.AllGather(at::full({1, 3}, 1.0f + rank), all).ok());
  for (int r = 0; r < world; ++r) EXPECT_EQ(all[r][2].item<float>(), 1.0f + r);

  const at::Tensor part = at::zeros({2});
  ASSERT_TRUE(group.ReduceScatter(at::arange(2.0f * world), part).ok());
  EXPECT_EQ(part[1].item<float>(), world * (2.0f * rank + 1));

  const at::Tensor told = at::full({4}, rank, at::kLong);
  ASSERT_TRUE(group.Broadcast(told, world - 1).ok());
  EXPECT_EQ(told[3].item<int64_t>(), world - 1);
  EXPECT_TRUE(group.Barrier().ok());
}

// Several calls in flight, waited for in another order than they were started.
inline void ExpectStartedCallsOverlap(Group& group) {
  std::vector<at::Tensor> tensors;
  std::vector<std::unique_ptr<Pending>> pending;
  for (int i = 0; i < 8; ++i) {
    tensors.push_back(at::full({1000 + i}, i + group.rank()));
    pending.push_back(group.StartAllReduce(tensors.back()));
  }
  const int world = group.world_size();
  for (int i = 8; i-- > 0;) {
    ASSERT_TRUE(pending[i]->Wait().ok());
    EXPECT_EQ(tensors[i][0].item<float>(), world * i + world * (world - 1) / 2);
  }
}

// Values whose sum depends on the order in which they are added.
inline at::Tensor UnevenValues(int rank) {
  return at::cos(at::arange(10007.0f) * (rank + 3)) * std::pow(10.0, rank);
}

}  // namespace trainyard::collective

#endif  // TRAINYARD_TESTS_COLLECTIVE_GROUP_CASES_H_
