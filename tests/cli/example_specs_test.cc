// Every file of examples/specs says what the coordinator accepts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "cli/spec_file.h"
#include "coordinator/spec_validation.h"

namespace trainyard::cli {
namespace {

TEST(ExampleSpecsTest, EachIsValid) {
  std::set<std::string> kinds;
  for (const auto& entry : std::filesystem::directory_iterator("examples/specs")) {
    if (entry.path().extension() != ".yaml") continue;
    const auto spec = ReadSpecFile(entry.path().string(), {});
    ASSERT_TRUE(spec.ok()) << spec.status();
    const bool is_job = std::holds_alternative<v1::JobSpec>(*spec);
    const auto violations = is_job
                                ? coordinator::ValidateJob(std::get<v1::JobSpec>(*spec))
                                : coordinator::ValidatePipeline(std::get<v1::PipelineSpec>(*spec));
    for (const auto& violation : violations) {
      ADD_FAILURE() << entry.path() << ": " << violation.field << " " << violation.message;
    }
    kinds.insert(is_job ? coordinator::KindOf(std::get<v1::JobSpec>(*spec)) : "pipeline");
  }
  EXPECT_THAT(kinds,
              ::testing::ElementsAre("eval", "fake", "generate", "pipeline", "ppo", "pretrain",
                                     "reward_model", "sft", "tokenize", "tokenizer"));
}

TEST(ExampleSpecsTest, TheDemoAndItsControlsAreValid) {
  for (const char* file : {"examples/demo/pipeline.yaml", "examples/demo/controls.yaml"}) {
    const auto spec = ReadSpecFile(file, {"stages[1].seed=2"});
    ASSERT_TRUE(spec.ok()) << spec.status();
    for (const auto& violation : coordinator::ValidatePipeline(std::get<v1::PipelineSpec>(*spec))) {
      ADD_FAILURE() << file << ": " << violation.field << " " << violation.message;
    }
  }
}

}  // namespace
}  // namespace trainyard::cli
