#include "ppo/run_state.h"

#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trainyard::ppo {
namespace {

using ::testing::HasSubstr;

RunState Sample() {
  RunState state;
  state.iteration = 2;
  state.version = 2;
  state.beta = 0.1 + 0.2;  // has no short decimal form
  state.seed = UINT64_MAX;
  state.data_fingerprint = "data";
  state.tokenizer_hash = "tokens";
  state.reward_spec_hash = "reward";
  state.numerics = {{"learner", "cpu"}, {"rollout", "cuda"}};
  EXPECT_TRUE(state.ledger.Append({0, 0, 4, 2, "d0", {}}).ok());
  EXPECT_TRUE(state.ledger.Append({1, 4, 4, 2, "d1", {{5, 1, "REJECTED"}}}).ok());
  return state;
}

checkpoint::Manifest ManifestOf(const RunState& state) {
  checkpoint::Manifest manifest;
  manifest.step = state.iteration;
  WriteSections(state, manifest);
  // As from the disk.
  const auto parsed = checkpoint::ParseManifest(checkpoint::SerializeManifest(manifest), "test");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : manifest;
}

TEST(RunStateTest, SurvivesTheManifestBitForBit) {
  const RunState state = Sample();
  const auto back = ReadSections(ManifestOf(state));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->iteration, 2);
  EXPECT_EQ(back->version, 2);
  EXPECT_EQ(back->beta, state.beta);
  EXPECT_EQ(back->seed, UINT64_MAX) << "more than a JSON number holds";
  EXPECT_EQ(back->data_fingerprint, "data");
  EXPECT_EQ(back->tokenizer_hash, "tokens");
  EXPECT_EQ(back->reward_spec_hash, "reward");
  EXPECT_EQ(back->numerics, state.numerics);
  EXPECT_EQ(back->ledger.next_row(), 8);
  EXPECT_EQ(back->ledger.CountExcluded("REJECTED"), 1);
}

TEST(RunStateTest, ATornSetIsRefusedAndNeverGuessed) {
  const checkpoint::Manifest good = ManifestOf(Sample());
  for (const char* section : {"controller", "ledger"}) {
    checkpoint::Manifest torn = good;
    torn.sections.erase(section);
    EXPECT_TRUE(absl::IsDataLoss(ReadSections(torn).status())) << section;
  }
  for (const char* field : {"iteration", "version", "beta", "seed", "next_row", "numerics"}) {
    checkpoint::Manifest torn = good;
    torn.sections["controller"].erase(field);
    EXPECT_TRUE(absl::IsDataLoss(ReadSections(torn).status())) << field;
  }
}

TEST(RunStateTest, AControllerThatIsAheadOfItsLedgerIsRefused) {
  checkpoint::Manifest torn = ManifestOf(Sample());
  torn.sections["controller"]["iteration"] = 3;
  EXPECT_THAT(std::string(ReadSections(torn).status().message()),
              HasSubstr("the ledger ends with iteration 2"));
  torn = ManifestOf(Sample());
  torn.sections["controller"]["next_row"] = 9;
  EXPECT_TRUE(absl::IsDataLoss(ReadSections(torn).status()));
  torn = ManifestOf(Sample());
  torn.step = 1;
  EXPECT_TRUE(absl::IsDataLoss(ReadSections(torn).status())) << "the manifest's own step";
}

TEST(RunStateTest, WhatTheRunWasBegunWithMayNotChange) {
  const RunState begun = Sample();
  EXPECT_TRUE(CheckSameRun(begun, begun).ok());
  const auto refused = [&](auto change) {
    RunState now = begun;
    change(now);
    const absl::Status status = CheckSameRun(begun, now);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](RunState& now) { now.seed = 1; }), HasSubstr("seed"));
  EXPECT_THAT(refused([](RunState& now) { now.data_fingerprint = "x"; }), HasSubstr("prompt data"));
  EXPECT_THAT(refused([](RunState& now) { now.tokenizer_hash = "x"; }), HasSubstr("tokenizer"));
  EXPECT_THAT(refused([](RunState& now) { now.reward_spec_hash = "x"; }), HasSubstr("reward"));
}

}  // namespace
}  // namespace trainyard::ppo
