// Requests run through an engine to their end, for its tests.

#ifndef TRAINYARD_TESTS_ROLLOUT_ENGINE_RUNS_H_
#define TRAINYARD_TESTS_ROLLOUT_ENGINE_RUNS_H_

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "rollout/engine.h"

namespace trainyard::rollout {

using SampleName = std::pair<int64_t, int32_t>;  // row, sample

// Every completion, each reported once; the cache is free again afterwards.
inline std::map<SampleName, Completion> RunAll(Engine& engine,
                                               std::vector<GenerateRequest> requests) {
  for (GenerateRequest& request : requests) {
    const absl::Status added = engine.Add(std::move(request));
    EXPECT_TRUE(added.ok()) << added;
  }
  std::map<SampleName, Completion> done;
  for (int step = 0; !engine.idle() && step < 100000; ++step) {
    for (Completion& c : engine.Step(absl::ZeroDuration()).completions) {
      const SampleName name = {c.row, c.sample};
      EXPECT_TRUE(done.emplace(name, std::move(c)).second);
    }
  }
  EXPECT_TRUE(engine.idle());
  EXPECT_EQ(engine.Load().free_blocks, engine.Load().total_blocks);
  return done;
}

}  // namespace trainyard::rollout

#endif  // TRAINYARD_TESTS_ROLLOUT_ENGINE_RUNS_H_
