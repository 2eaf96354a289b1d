#include "worker/end_reason.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace trainyard::worker {
namespace {

TEST(EndReason, SaysWhatWhereAndWhy) {
  const EndReason reason =
      EndReasonOf(absl::InvalidArgumentError("data.jsonl:3: no field"), {7, "load"});
  EXPECT_EQ(reason.end_class, EndClass::kUserError);
  EXPECT_EQ(reason.message, "data.jsonl:3: no field");
  EXPECT_EQ(reason.step, 7);
  EXPECT_EQ(reason.phase, "load");
}

TEST(EndReason, ANumberThatIsNotFiniteIsNotADiskErrorAlsoWhenAnnotated) {
  const absl::Status status = Annotate(NotFiniteError("loss"), "step 3");
  EXPECT_EQ(EndReasonOf(status, {}).end_class, EndClass::kNan);
  EXPECT_EQ(EndReasonOf(absl::DataLossError("checksum"), {}).end_class, EndClass::kDeviceError);
}

}  // namespace
}  // namespace trainyard::worker
