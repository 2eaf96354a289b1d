#include "coordinator/call_table.h"

#include <gtest/gtest.h>

#include <vector>

namespace trainyard::coordinator {
namespace {

TEST(CallTableTest, EachAnswerRunsOnce) {
  CallTable calls;
  int answers = 0;
  const CallId call = calls.Add([&](const Reply&) { ++answers; });
  calls.Resolve({.call = call});
  calls.Resolve({.call = call});
  calls.Resolve({.call = call + 1});
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(calls.size(), 0u);
}

TEST(CallTableTest, FailAllAnswersThoseThatWaitAndThoseThatCome) {
  CallTable calls;
  std::vector<absl::Status> seen;
  calls.Add([&](const Reply& reply) { seen.push_back(reply.status); });
  calls.FailAll(absl::UnavailableError("stops"));
  calls.Add([&](const Reply& reply) { seen.push_back(reply.status); });
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].message(), "stops");
  EXPECT_EQ(seen[1].message(), "stops");
}

}  // namespace
}  // namespace trainyard::coordinator
