#include "cli/verb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kVerbs = {"submit", "list", "watch"};

TEST(UnknownVerbTest, AMisspeltVerbIsNamedWithTheNearestOne) {
  EXPECT_EQ(UnknownVerb({"submt", "x.yaml"}, kVerbs),
            "there is no verb \"submt\" (did you mean \"submit\"?)");
  EXPECT_THAT(UnknownVerb({"--coordinator", "list", "lst"}, kVerbs), HasSubstr("\"lst\""));
}

TEST(UnknownVerbTest, AVerbThatExistsIsNotWhatIsWrong) {
  EXPECT_EQ(UnknownVerb({"submit"}, kVerbs), "");
  EXPECT_EQ(UnknownVerb({"-o", "json", "list", "--nonsense"}, kVerbs), "");
  EXPECT_EQ(UnknownVerb({}, kVerbs), "");
}

TEST(ExitCodeTest, APipelineFailedWhenAStageDidAndCancelledWhenNoneFailed) {
  v1::Pipeline pipeline;
  pipeline.add_jobs()->set_state(v1::SUCCEEDED);
  EXPECT_EQ(ExitCodeOf(Target(pipeline)), kExitOk);
  pipeline.add_jobs()->set_state(v1::CANCELLED);
  EXPECT_EQ(ExitCodeOf(Target(pipeline)), kExitJobCancelled);
  pipeline.add_jobs()->set_state(v1::FAILED);
  EXPECT_EQ(ExitCodeOf(Target(pipeline)), kExitJobFailed);
}

TEST(ConnectTest, AnAddressWithoutAPortIsSaidSoAtOnce) {
  Globals globals;
  globals.coordinator = "somehost";
  const auto client = Connect(globals);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("somehost"));
}

}  // namespace
}  // namespace trainyard::cli
