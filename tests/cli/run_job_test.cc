#include "cli/run_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/atomic_file.h"
#include "tests/cli/verb_harness.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

v1::JobSpec Fake() {
  v1::JobSpec spec;
  spec.set_name("demo");
  spec.mutable_fake()->set_steps(3);
  return spec;
}

class RunJobTest : public VerbTest {
 protected:
  Client client_{address()};
  const Roots roots_{{{"runs", dir().path()}}};
};

TEST(SamplingFlagsTest, EveryFlagIsAFieldOfTheSpec) {
  CLI::App app;
  SamplingFlags flags;
  AddSamplingFlags(&app, &flags);
  app.parse("--max-new-tokens 8 --temperature 0.5 --top-p 0.9 --top-k 40 --n 2 --seed 7");
  const v1::SamplingSpec sampling = *SamplingOf(flags);
  EXPECT_EQ(sampling.max_new_tokens(), 8);
  EXPECT_EQ(sampling.temperature(), 0.5);
  EXPECT_EQ(sampling.top_p(), 0.9);
  EXPECT_EQ(sampling.top_k(), 40);
  EXPECT_EQ(sampling.n(), 2);
  EXPECT_EQ(sampling.seed(), 7u);
}

absl::StatusOr<v1::SamplingSpec> Parsed(std::vector<std::string> reversed_arguments) {
  CLI::App app;
  SamplingFlags flags;
  AddSamplingFlags(&app, &flags);
  app.parse(reversed_arguments);
  return SamplingOf(flags);
}

TEST(SamplingFlagsTest, PenaltiesBiasAndMasksAreFieldsOfTheSpec) {
  const auto sampling =
      Parsed({"--min-new-tokens=2", "--best-of=4", "--allow=b", "--allow=a=b", "--logit-bias=a==-2",
              "--logit-bias= yes=0.5", "--frequency-penalty=0.4", "--presence-penalty=0.3",
              "--repetition-penalty=1.2", "--typical-p=0.9", "--min-p=0.1"});
  ASSERT_TRUE(sampling.ok()) << sampling.status();
  EXPECT_EQ(sampling->min_p(), 0.1);
  EXPECT_EQ(sampling->typical_p(), 0.9);
  EXPECT_EQ(sampling->repetition_penalty(), 1.2);
  EXPECT_EQ(sampling->presence_penalty(), 0.3);
  EXPECT_EQ(sampling->frequency_penalty(), 0.4);
  EXPECT_EQ(sampling->logit_bias(0).token(), " yes");
  EXPECT_EQ(sampling->logit_bias(0).bias(), 0.5);
  EXPECT_EQ(sampling->logit_bias(1).token(), "a=");
  EXPECT_EQ(sampling->logit_bias(1).bias(), -2);
  EXPECT_EQ(sampling->allowed_tokens(0), "a=b");
  EXPECT_EQ(sampling->allowed_tokens(1), "b");
  EXPECT_EQ(sampling->best_of(), 4);
  EXPECT_EQ(sampling->min_new_tokens(), 2);
  EXPECT_FALSE(sampling->has_beam());
}

TEST(SamplingFlagsTest, BeamFlagsNeedABeam) {
  const auto sampling = Parsed({"--early-stopping=never", "--length-penalty=0.5", "--beams=3"});
  ASSERT_TRUE(sampling.ok()) << sampling.status();
  EXPECT_EQ(sampling->beam().width(), 3);
  EXPECT_EQ(sampling->beam().length_penalty(), 0.5);
  EXPECT_EQ(sampling->beam().early_stopping(), "never");
  EXPECT_THAT(std::string(Parsed({"--length-penalty=0.5"}).status().message()),
              HasSubstr("give --beams too"));
  EXPECT_THAT(std::string(Parsed({"--logit-bias=yes"}).status().message()),
              HasSubstr("--logit-bias yes must be TOKEN=NUMBER"));
}

TEST_F(RunJobTest, AJobThatSucceededIsGivenWithItsOutputs) {
  std::thread cluster([&] {
    const v1::Artifact model = OutputAt("model", "root://runs/model");
    node().Succeed("demo", "trainer/0", model);
  });
  const Captured captured;
  int exit_code = -1;
  const auto job = RunJob(client_, Fake(), &exit_code);
  cluster.join();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(exit_code, kDone);
  EXPECT_EQ(job->state(), v1::SUCCEEDED);
  EXPECT_EQ(job->outputs(0).uri(), "root://runs/model");
  EXPECT_EQ(captured.Out(), "") << "standard output is for what the job made";
  EXPECT_THAT(captured.Err(), HasSubstr("job " + job->id() + " (demo)\n"));
}

TEST_F(RunJobTest, AJobThatFailedIsToldWithItsReasonAndWhereToLook) {
  std::thread cluster(
      [&] { node().Exit("demo", "trainer/0", v1::END_USER_ERROR, "rows are missing"); });
  const Captured captured;
  int exit_code = -1;
  const auto job = RunJob(client_, Fake(), &exit_code);
  cluster.join();
  EXPECT_EQ(job.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(exit_code, kJobFailed);
  EXPECT_THAT(captured.Err(), HasSubstr(" failed: user_error: rows are missing"));
  EXPECT_THAT(captured.Err(), HasSubstr("what to do: trainyard logs " + Job("demo").id()));
}

TEST_F(RunJobTest, ASpecThatIsRefusedIsNoJob) {
  v1::JobSpec spec = Fake();
  spec.mutable_fake()->set_steps(0);
  int exit_code = -1;
  EXPECT_EQ(RunJob(client_, spec, &exit_code).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(exit_code, -1);
}

TEST_F(RunJobTest, PromptsGivenAsTextsAreRowsThatAJobCanRead) {
  const auto file = StorePrompts({"the film was", "say \"no\""}, roots_);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->uri(), HasSubstr("root://runs/prompts/"));
  EXPECT_EQ(ReadFile(*roots_.Resolve(file->uri())).value_or("nothing"),
            "{\"prompt\":\"the film was\"}\n{\"prompt\":\"say \\\"no\\\"\"}\n");
  EXPECT_NE(StorePrompts({"another"}, roots_)->uri(), file->uri());
  EXPECT_EQ(StorePrompts({"x"}, Roots({{"data", dir().path()}})).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(RunJobTest, AnOutputsFileIsReadByName) {
  v1::Job job;
  job.set_id("job-1");
  job.add_outputs()->set_name("report");
  job.mutable_outputs(0)->set_uri("root://runs/out");
  ASSERT_TRUE(MakeDirectories(dir().File("out")).ok());
  ASSERT_TRUE(WriteFileAtomically(dir().File("out/report.json"), "{}").ok());
  EXPECT_EQ(ReadOutput(job, "report", "report.json", roots_).value_or("nothing"), "{}");
  EXPECT_EQ(ReadOutput(job, "report", "none.json", roots_).status().code(),
            absl::StatusCode::kNotFound);
  const auto other = ReadOutput(job, "answers", "report.json", roots_);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("job job-1 wrote no \"answers\""));
}

}  // namespace
}  // namespace trainyard::cli
