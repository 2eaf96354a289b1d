#include "wire/records.h"

#include <gtest/gtest.h>

namespace trainyard::wire {
namespace {

struct Row {
  std::string name, uri, manifest_sha256, job_id, type;
  uint64_t epoch = 0;
  int64_t size_bytes = 0;
  int revision = 0;  // more than the message has
};

TEST(Records, AnEndReasonSurvivesWhole) {
  const EndReason reason = {EndClass::kOutOfMemory, "why",       5, "train",
                            "trainer/1",            137, 9, 1 << 20};
  EXPECT_EQ(FromWire(ToWire(reason)), reason);
}

TEST(Records, EveryEndClassHasItsNumber) {
  for (int number = v1::EndClass_MIN; number <= v1::EndClass_MAX; ++number) {
    const auto end_class = static_cast<EndClass>(number);
    EXPECT_EQ("END_" + std::string(EndClassName(end_class)),
              number == 0 ? "END_UNSPECIFIED"
                          : v1::EndClass_Name(static_cast<v1::EndClass>(number)));
  }
}

TEST(Records, ProgressSurvivesWhole) {
  const Progress progress = {"train", 5, 9, 1.5, 0.25, "loss"};
  EXPECT_EQ(FromWire(ToWire(progress)), progress);
}

TEST(Records, AnArtifactSurvivesWhole) {
  const Row row = {"model", "root://runs/a", "abc", "job", "policy", 7, 1 << 30, 3};
  const Row back = ArtifactFromWire<Row>(ArtifactToWire(row));
  EXPECT_EQ(back.name, row.name);
  EXPECT_EQ(back.uri, row.uri);
  EXPECT_EQ(back.manifest_sha256, row.manifest_sha256);
  EXPECT_EQ(back.job_id, row.job_id);
  EXPECT_EQ(back.type, row.type);
  EXPECT_EQ(back.epoch, row.epoch);
  EXPECT_EQ(back.size_bytes, row.size_bytes);
}

}  // namespace
}  // namespace trainyard::wire
