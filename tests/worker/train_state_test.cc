#include "worker/train_state.h"

#include <gtest/gtest.h>

namespace trainyard::worker {
namespace {

TEST(TrainState, ComesBackFromAManifestAsItWas) {
  TrainState state;
  state.step = 12;
  state.updates = 11;
  state.cursor = {12, 1, 2, 3, "data-fingerprint"};
  state.tokens = 1'000'000'007;
  state.spike_guard = {{"skipped", 1}};
  state.best = 2.5;
  state.best_step = 8;
  checkpoint::Manifest manifest;
  manifest.sections = TrainStateSections(state);
  const auto parsed =
      checkpoint::ParseManifest(checkpoint::SerializeManifest(manifest), "manifest.json");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto back = TrainStateOf(*parsed);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->step, 12);
  EXPECT_EQ(back->updates, 11);
  EXPECT_EQ(back->cursor, state.cursor);
  EXPECT_EQ(back->tokens, state.tokens);
  EXPECT_EQ(back->spike_guard, state.spike_guard);
  EXPECT_EQ(back->best, 2.5);
  EXPECT_EQ(back->best_step, 8);
}

TEST(TrainState, AMissingSectionIsNamed) {
  checkpoint::Manifest manifest;
  const TrainState start;
  manifest.sections = TrainStateSections(start);
  manifest.sections.erase("cursor");
  const absl::Status status = TrainStateOf(manifest).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("cursor"), std::string::npos) << status;
}

}  // namespace
}  // namespace trainyard::worker
