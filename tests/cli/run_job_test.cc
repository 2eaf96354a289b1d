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
  const v1::SamplingSpec sampling = SamplingOf(flags);
  EXPECT_EQ(sampling.max_new_tokens(), 8);
  EXPECT_EQ(sampling.temperature(), 0.5);
  EXPECT_EQ(sampling.top_p(), 0.9);
  EXPECT_EQ(sampling.top_k(), 40);
  EXPECT_EQ(sampling.n(), 2);
  EXPECT_EQ(sampling.seed(), 7u);
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
