#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kDemo[] = "name: demo\nfake: {steps: 3}\n";
constexpr char kLine[] =
    "name: line\nstages:\n- {name: first, fake: {steps: 1}}\n"
    "- {name: second, fake: {steps: 1}, after: [first]}\n";

class SubmitTest : public VerbTest {
 protected:
  std::string File(const std::string& text) const {
    const std::string path = dir().File("spec.yaml");
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return path;
  }
};

TEST_F(SubmitTest, AJobIsToldWithItsIdAndWhatToDoNext) {
  const Ran ran = Run({"submit", File(kDemo)});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  const std::string id = Job("demo").id();
  EXPECT_EQ(ran.out, "job " + id + " (demo) queued\nnext: trainyard watch " + id +
                         "   trainyard logs -f " + id + "   trainyard cancel " + id + "\n");
}

TEST_F(SubmitTest, APipelineIsToldWithItsStages) {
  const Ran ran = Run({"submit", File(kLine)});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("(line) of 2 stages\n"));
  EXPECT_THAT(ran.out, HasSubstr("  first  queued\n"));
  EXPECT_THAT(ran.out, HasSubstr("  second  blocked\n"));
  EXPECT_THAT(ran.out, HasSubstr("next: trainyard watch pipeline-"));
}

TEST_F(SubmitTest, JsonIsTheJobOrThePipeline) {
  EXPECT_EQ(Run({"submit", File(kDemo), "-o", "json"}).At("/spec/name"), "demo");
  EXPECT_EQ(Run({"submit", File(kLine), "-o", "json"}).At("/jobs/1/stage"), "second");
}

TEST_F(SubmitTest, AValueIsReplacedAsOftenAsAsked) {
  const Ran ran = Run({"submit", File(kDemo), "--set", "fake.steps=7", "--set", "name=other"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_EQ(Job("other").spec().fake().steps(), 7);
}

TEST_F(SubmitTest, ADryRunShowsTheDefaultsAndStoresNothing) {
  const std::string job = File(kDemo);
  const Ran ran = Run({"submit", job, "--dry-run"});
  EXPECT_EQ(ran.code, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr(job + " is valid; with defaults filled in:\nname: demo\n"));
  EXPECT_THAT(ran.out, HasSubstr("max_attempts: 3\n"));
  EXPECT_EQ(Run({"submit", job, "--dry-run", "-o", "json"}).At("/max_attempts"), "3");
  const std::string line = File(kLine);
  EXPECT_EQ(Run({"submit", line, "--dry-run"}).out, line + " is valid: 2 stages\n");
  EXPECT_EQ(Run({"submit", line, "--dry-run", "-o", "json"}).At("/name"), "line");
  EXPECT_THAT(Run({"list"}).out, HasSubstr("no jobs"));
}

TEST_F(SubmitTest, WatchingGoesOnToTheEndAndTheOutcomeIsTheExitCode) {
  const auto verb = Start({"submit", File(kDemo), "--watch"});
  node().Exit("demo", "trainer/0", v1::END_USER_ERROR, "rows are missing");
  const Ran ran = verb->End();
  EXPECT_EQ(ran.code, kJobFailed) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("job " + Job("demo").id() + " (demo) "));
  EXPECT_THAT(ran.out, HasSubstr("user_error: rows are missing"));
  EXPECT_EQ(ran.out.find("next:"), std::string::npos);
}

TEST_F(SubmitTest, EveryFieldThatIsWrongIsALine) {
  const Ran ran = Run({"submit", File("name: X\nfake: {steps: 0}\n")});
  EXPECT_EQ(ran.code, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("trainyard: the spec is not valid\n"));
  EXPECT_THAT(ran.err, HasSubstr("\n  name: "));
  EXPECT_THAT(ran.err, HasSubstr("\n  fake.steps: is 0, must be at least 1\n"));
  EXPECT_THAT(ran.err, HasSubstr("what to do: "));
}

TEST_F(SubmitTest, AFileThatDoesNotReadIsNamedWithItsLine) {
  const std::string file = File("name: x\nfake:\n  stps: 3\n");
  const Ran typo = Run({"submit", file});
  EXPECT_EQ(typo.code, kUsage);
  EXPECT_THAT(typo.err, HasSubstr(file + ":3: unknown field \"stps\""));
  const Ran missing = Run({"submit", dir().File("none.yaml")});
  EXPECT_EQ(missing.code, kNotFound);
  EXPECT_THAT(missing.err, HasSubstr("none.yaml"));
  ExpectMissing({"submit"}, "FILE");
}

TEST_F(SubmitTest, ANameThatALiveJobHasIsRefused) {
  const std::string id = Submit(kDemo);
  const Ran ran = Run({"submit", File(kDemo)});
  EXPECT_EQ(ran.code, kRefused);
  EXPECT_THAT(ran.err, HasSubstr(id));
}

}  // namespace
}  // namespace trainyard::cli
