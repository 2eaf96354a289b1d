#include "agent/devices.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace trainyard::agent {
namespace {

TEST(Devices, AMachineOffersSomeOfItself) {
  EXPECT_GE(UsableCpuMilli(), 1);
  EXPECT_GE(UsableMemoryBytes(), int64_t{64} << 20);
}

TEST(Devices, AnAffinityMaskIsRespected) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_LE(UsableCpuMilli(), 1000);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

// The library is tests/agent/fake_nvml.cc.
TEST(Devices, AGpuOnWhichSomebodyElseComputesIsNotOffered) {
  const auto gpus = OfferedGpus();
  ASSERT_TRUE(gpus.ok()) << gpus.status();
  ASSERT_EQ(gpus->size(), 1);
  EXPECT_EQ(gpus->front().uuid, "GPU-1");
  EXPECT_EQ(gpus->front().kind, "NVIDIA H200");
  EXPECT_EQ(gpus->front().memory_bytes, 150'000'000'000);
}

}  // namespace
}  // namespace trainyard::agent
