#include "cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

using CommandLineTest = VerbTest;

TEST(CommandLineFormTest, HelpAndVersionGoToStandardOutput) {
  const Ran help = RunLine({"--help"});
  EXPECT_EQ(help.code, kDone);
  EXPECT_THAT(help.out, HasSubstr("First steps: trainyard up"));
  for (const char* verb : {"up ", "submit ", "metrics ", "tokenize ", "context "}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + verb));
  }
  EXPECT_EQ(RunLine({"--version"}).code, kDone);
  EXPECT_THAT(RunLine({"get", "--help"}).out, HasSubstr("Example:\n  trainyard get demo"));
}

TEST(CommandLineFormTest, AWrongVerbIsNamedWithTheNearestOne) {
  const Ran ran = RunLine({"submt", "x.yaml"});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_EQ(ran.err,
            "trainyard: there is no verb \"submt\" (did you mean \"submit\"?)\n"
            "what to do: trainyard --help lists the verbs\n");
}

TEST(CommandLineFormTest, NoVerbAndAnUnknownOutputFormAreUsageErrors) {
  EXPECT_EQ(RunLine({}).code, kUsage);
  const Ran ran = RunLine({"list", "-o", "xml"});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("xml"));
}

TEST_F(CommandLineTest, GlobalOptionsMayStandOnBothSidesOfTheVerb) {
  EXPECT_THAT(RunLine({"--coordinator", address(), "nodes"}).out, HasSubstr("no nodes"));
  EXPECT_THAT(RunLine({"nodes", "--coordinator", address()}).out, HasSubstr("no nodes"));
}

TEST_F(CommandLineTest, AContextThatIsNotThereIsNamed) {
  const Ran ran = RunLine({"list", "--context", "lab"});
  EXPECT_EQ(ran.code, kNotFound);
  EXPECT_THAT(ran.err, HasSubstr("there is no context \"lab\""));
}

}  // namespace
}  // namespace trainyard::cli
