#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

class ContextTest : public VerbTest {
 protected:
  // Names the coordinator of this test "here", and one that does not exist "lab".
  void SetUp() override {
    ASSERT_EQ(Run({"context", "--set", "here"}).code, kDone);
    ASSERT_EQ(RunLine({"context", "--set", "lab", "--coordinator", "10.0.0.1:7433"}).code, kDone);
  }
};

TEST_F(ContextTest, TheFirstOneIsTheDefaultUntilAnotherIsUsed) {
  const Ran first = RunLine({"context"});
  EXPECT_THAT(first.out, HasSubstr("*  here     " + address() + "\n"));
  EXPECT_THAT(first.out, HasSubstr("   lab      10.0.0.1:7433\n"));
  EXPECT_THAT(RunLine({"context", "--use", "lab"}).out, HasSubstr("*  lab "));
  EXPECT_THAT(RunLine({"context"}).out, HasSubstr("*  lab ")) << "it is kept";
}

TEST_F(ContextTest, VerbsGoToTheCurrentOneAndToTheNamedOne) {
  Submit("name: demo\nfake: {steps: 3}\n");
  EXPECT_THAT(RunLine({"list"}).out, HasSubstr("demo"));
  ASSERT_EQ(RunLine({"context", "--use", "lab"}).code, kDone);
  EXPECT_THAT(RunLine({"list", "--context", "here"}).out, HasSubstr("demo"));
}

TEST_F(ContextTest, JsonIsTheFile) {
  const Ran ran = RunLine({"context", "-o", "json"});
  EXPECT_EQ(ran.At("/current"), "here");
  EXPECT_EQ(ran.At("/contexts/lab"), "10.0.0.1:7433");
}

TEST_F(ContextTest, WhatIsRemovedIsGoneAndNoDefaultAnyMore) {
  const Ran ran = RunLine({"context", "--remove", "here", "-o", "json"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(ran.At("/current"), "");
  EXPECT_THAT(ran.At("/contexts/here"), HasSubstr("nothing at"));
}

TEST_F(ContextTest, AnUnknownNameIsSaidAndChangesNothing) {
  const Ran use = RunLine({"context", "--use", "lba"});
  EXPECT_EQ(use.code, kNotFound);
  EXPECT_THAT(use.err, HasSubstr("there is no context \"lba\" (known: here, lab)"));
  const Ran remove = RunLine({"context", "--remove", "lba"});
  EXPECT_EQ(remove.code, kNotFound);
  EXPECT_THAT(remove.err, HasSubstr("\"lba\""));
  EXPECT_THAT(RunLine({"context"}).out, HasSubstr("*  here "));
}

TEST_F(ContextTest, ANameNeedsAnAddress) {
  const Ran ran = RunLine({"context", "--set", "lab2"});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("--set NAME needs --coordinator HOST:PORT"));
}

TEST_F(ContextTest, AFileThatDoesNotReadIsNamedWithItsLine) {
  ASSERT_TRUE(WriteFileAtomically(dir().File("config-home/trainyard/config.yaml"),
                                  "current: lab\ncontext: {}\n")
                  .ok());
  const Ran ran = RunLine({"context"});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("config.yaml:2: unknown field \"context\""));
}

}  // namespace
}  // namespace trainyard::cli
