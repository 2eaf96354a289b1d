#include "coordinator/spec_checks.h"

#include <gtest/gtest.h>

#include <cmath>

namespace trainyard::coordinator {
namespace {

TEST(SpecChecksTest, PathsGrowByFieldAndIndex) {
  std::vector<rpc::FieldViolation> violations;
  SpecChecks checks("sft", &violations);
  checks.Under("data").Under("train", 2).Violation("file", "is missing");
  SpecChecks("", &violations).Violation("name", "is wrong");
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[0].field, "sft.data.train[2].file");
  EXPECT_EQ(violations[1].field, "name");
}

TEST(SpecChecksTest, NotANumberPassesNoBound) {
  std::vector<rpc::FieldViolation> violations;
  SpecChecks checks("", &violations);
  checks.AtLeast("a", std::nan(""), 0);
  checks.Positive("b", std::nan(""));
  checks.Within("c", std::nan(""), 0, 1);
  checks.Below("d", std::nan(""), 0, 1);
  EXPECT_EQ(violations.size(), 4u);
}

TEST(SpecChecksTest, PathsThatLeaveTheirRootAreRefused) {
  for (const char* uri : {"root://data/../etc", "root://data/a/./b", "root://data//b",
                          "/etc/passwd", "root://Data/x", "root://data/", "file:///x"}) {
    std::vector<rpc::FieldViolation> violations;
    SpecChecks("", &violations).RootUri("file", uri);
    EXPECT_EQ(violations.size(), 1u) << uri;
  }
  std::vector<rpc::FieldViolation> violations;
  SpecChecks("", &violations).RootUri("file", "root://data/a/b..c/d.txt");
  EXPECT_TRUE(violations.empty());
}

TEST(SpecChecksTest, RootNameIsTheFirstPart) {
  EXPECT_EQ(RootName("root://data/a/b"), "data");
  EXPECT_EQ(RootName("/data/a"), "");
}

}  // namespace
}  // namespace trainyard::coordinator
