#include "cli/spec_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

TEST(SpecFileTest, ADocumentWithStagesIsAPipeline) {
  const auto spec = ParseSpec("name: p\nstages:\n- {name: a, fake: {steps: 1}}\n", "p.yaml",
                              {"stages.a.fake.steps=4"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  const auto& pipeline = std::get<v1::PipelineSpec>(*spec);
  EXPECT_EQ(pipeline.stages(0).fake().steps(), 4);
}

TEST(SpecFileTest, AnyOtherDocumentIsAJob) {
  const auto spec = ParseSpec("name: j\nfake: {steps: 1}\n", "j.yaml", {});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(std::get<v1::JobSpec>(*spec).name(), "j");
}

TEST(SpecFileTest, TextThatIsNotYamlNamesTheLine) {
  const auto spec = ParseSpec("name: j\nfake: {steps: 1\n", "j.yaml", {});
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr("j.yaml:3: not YAML"));
}

TEST(SpecFileTest, AnEmptyFileAndTwoDocumentsAreRefused) {
  EXPECT_THAT(std::string(ParseSpec("", "j.yaml", {}).status().message()),
              HasSubstr("j.yaml: is empty"));
  EXPECT_THAT(std::string(ParseSpec("name: a\n---\nname: b\n", "j.yaml", {}).status().message()),
              HasSubstr("holds 2 documents"));
}

TEST(SpecFileTest, AMissingFileIsNamed) {
  const auto spec = ReadSpecFile("no/such.yaml", {});
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr("no/such.yaml"));
}

}  // namespace
}  // namespace trainyard::cli
