#include "cli/message_text.h"

#include <gtest/gtest.h>

#include <limits>

#include "cli/spec_file.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::cli {
namespace {

TEST(MessageTextTest, NumbersStayNumbersAndEnumsAreLowerCase) {
  v1::Job job;
  job.set_id("job-1");
  job.set_state(v1::QUEUED);
  job.set_revision(int64_t{1} << 53);
  (*job.mutable_wanted())["rollout"] = 3;
  EXPECT_EQ(
      MessageToJson(job).dump(),
      R"({"id":"job-1","state":"queued","wanted":{"rollout":3},"revision":9007199254740992})");
}

TEST(MessageTextTest, NumbersThatAreNotFiniteBecomeText) {
  v1::MetricPoint point;
  (*point.mutable_values())["loss"] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(MessageToJson(point).dump(), R"({"values":{"loss":"nan"}})");
}

TEST(MessageTextTest, YamlOfASpecReadsBackAsTheSameSpec) {
  v1::JobSpec spec;
  spec.set_name("true");
  spec.mutable_sft()->mutable_init_from()->set_uri("root://data/model");
  spec.mutable_sft()->mutable_optimizer()->set_lr(3e-4);
  spec.mutable_sft()->set_dtype(v1::BFLOAT16);
  (*spec.mutable_labels())["note"] = "a: \"b\"\n#c";
  spec.add_roles()->set_name("trainer");
  const auto back = ParseSpec(MessageToYaml(spec), "spec.yaml", {});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(std::get<v1::JobSpec>(*back).SerializeAsString(), spec.SerializeAsString());
}

}  // namespace
}  // namespace trainyard::cli
