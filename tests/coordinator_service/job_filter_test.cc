#include "coordinator/job_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::coordinator {
namespace {

using ::testing::HasSubstr;

TEST(JobFilterTest, TermsAreJoinedByCommasOrAnd) {
  for (const char* text : {"state=FAILED, kind=ppo, name=x, pipeline=p, label.team=blue",
                           "state=failed AND kind=ppo AND name=x and pipeline=p,label.team=blue"}) {
    const auto filter = ParseJobFilter(text);
    ASSERT_TRUE(filter.ok()) << filter.status();
    EXPECT_EQ(filter->state, JobState::kFailed);
    EXPECT_EQ(filter->kind, "ppo");
    EXPECT_EQ(filter->name, "x");
    EXPECT_EQ(filter->pipeline_id, "p");
    EXPECT_EQ(filter->labels.at("team"), "blue");
  }
  EXPECT_TRUE(ParseJobFilter("").ok());
}

TEST(JobFilterTest, WrongTermsAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"stat=FAILED", "did you mean state?"},
      {"state=DONE", "a state is one of BLOCKED, QUEUED"},
      {"state", "write it as key=value"},
      {"colour=blue", "keys are state, kind"},
  };
  for (const auto& [text, message] : cases) {
    const auto filter = ParseJobFilter(text);
    EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(filter.status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace trainyard::coordinator
