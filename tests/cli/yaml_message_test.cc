#include "cli/yaml_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainyard/v1/job.pb.h"

namespace trainyard::cli {
namespace {

using ::testing::HasSubstr;

absl::Status Convert(const std::string& text, v1::JobSpec* spec) {
  return YamlToMessage(YAML::Load(text), {"job.yaml", {}}, spec);
}

std::string ErrorOf(const std::string& text) {
  v1::JobSpec spec;
  const absl::Status status = Convert(text, &spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(YamlMessageTest, FillsEveryKindOfField) {
  v1::JobSpec spec;
  ASSERT_TRUE(Convert(R"(
name: tiny
labels: {team: blue}
seed: 7
after: [other]
pretrain:
  dtype: bfloat16
  model: {family: llama, layers: 2, rope_theta: 1e4, tie_embeddings: false}
  data:
    train:
      - file: root://data/a.txt
        weight: 0.5
      - file: {uri: root://data/b.jsonl}
    tokenizer: tok/tokenizer
roles:
  - name: trainer
    count: 2
    resources: {memory_bytes: 1.5GiB}
)",
                      &spec)
                  .ok());
  EXPECT_EQ(spec.name(), "tiny");
  EXPECT_EQ(spec.labels().at("team"), "blue");
  EXPECT_EQ(spec.seed(), 7u);
  EXPECT_EQ(spec.after(0), "other");
  EXPECT_EQ(spec.pretrain().dtype(), v1::BFLOAT16);
  EXPECT_EQ(spec.pretrain().model().rope_theta(), 1e4);
  EXPECT_TRUE(spec.pretrain().model().has_tie_embeddings());
  EXPECT_EQ(spec.pretrain().data().train(0).file().uri(), "root://data/a.txt");
  EXPECT_EQ(spec.pretrain().data().train(1).file().uri(), "root://data/b.jsonl");
  EXPECT_EQ(spec.pretrain().data().tokenizer().artifact(), "tok/tokenizer");
  EXPECT_EQ(spec.roles(0).resources().memory_bytes(), int64_t{3} << 29);
}

TEST(YamlMessageTest, UnknownFieldNamesFileLineAndNearestName) {
  EXPECT_EQ(ErrorOf("name: x\nfake:\n  stps: 3\n"),
            "job.yaml:3: unknown field \"stps\" in fake (did you mean \"steps\"?)");
}

TEST(YamlMessageTest, UnknownFieldFarFromAnyListsTheFields) {
  EXPECT_THAT(ErrorOf("fake:\n  wholly_other: 3\n"),
              HasSubstr("fields there: steps, step_seconds"));
}

TEST(YamlMessageTest, AllProblemsAreReportedAtOnce) {
  EXPECT_EQ(ErrorOf("nme: x\nfake:\n  steps: many\nseed: -1\n"),
            "job.yaml:1: unknown field \"nme\" (did you mean \"name\"?)\n"
            "job.yaml:3: fake.steps must be a whole number, not \"many\"\n"
            "job.yaml:4: seed must be a whole number, 0 or more, not \"-1\"");
}

TEST(YamlMessageTest, WrongTypesNameThePathAndTheWantedType) {
  const std::pair<const char*, const char*> cases[] = {
      {"fake: 3", "fake must be a mapping of fields, not \"3\""},
      {"fake: {steps: 1.5}", "fake.steps must be a whole number, not \"1.5\""},
      {"fake: {step_seconds: fast}", "fake.step_seconds must be a finite number, not \"fast\""},
      {"fake: {step_seconds: nan}", "fake.step_seconds must be a finite number"},
      {"fake: {fail_class: end_nothing}", "fake.fail_class must be one of end_succeeded, "},
      {"roles: trainer", "roles must be a list"},
      {"roles: [3]", "roles[0] must be a mapping of fields, not \"3\""},
      {"roles: [{count: 99999999999}]", "roles[0].count must be within -2147483648"},
      {"roles: [{resources: {memory_bytes: big}}]", "must be a size (bytes, or with KiB"},
      {"allow_numerics_change: yes", "allow_numerics_change must be true or false, not \"yes\""},
      {"labels: [a]", "labels must be a mapping, not a list"},
      {"name: [a]", "name must be a text, not a list"},
      {"name:", "name has no value; write one or leave it out"},
      {"- a", "the document must be a mapping of fields, not a list"},
  };
  for (const auto& [text, message] : cases) EXPECT_THAT(ErrorOf(text), HasSubstr(message)) << text;
}

TEST(YamlMessageTest, TwoKindsInOneJobAreRefused) {
  EXPECT_EQ(ErrorOf("fake: {steps: 1}\nsft: {}\n"),
            "job.yaml:2: sft and fake exclude each other; keep one");
}

TEST(YamlMessageTest, AFieldGivenTwiceIsRefused) {
  EXPECT_EQ(ErrorOf("name: a\nname: b\n"), "job.yaml:2: name is given twice; keep one");
}

TEST(YamlMessageTest, OverrideReplacesAddsAndDescends) {
  YAML::Node root = YAML::Load("name: a\nroles:\n- {name: trainer, count: 1}\n");
  YamlOrigin origin{"job.yaml", {}};
  ASSERT_TRUE(ApplyOverride("name=b", root, &origin).ok());
  ASSERT_TRUE(ApplyOverride("fake.steps=5", root, &origin).ok());
  ASSERT_TRUE(ApplyOverride("roles.trainer.count=3", root, &origin).ok());
  ASSERT_TRUE(ApplyOverride("roles.0.threads=2", root, &origin).ok());
  v1::JobSpec spec;
  ASSERT_TRUE(YamlToMessage(root, origin, &spec).ok());
  EXPECT_EQ(spec.name(), "b");
  EXPECT_EQ(spec.fake().steps(), 5);
  EXPECT_EQ(spec.roles(0).count(), 3);
  EXPECT_EQ(spec.roles(0).threads(), 2);
}

TEST(YamlMessageTest, AnIllTypedOverrideIsNamedInsteadOfALine) {
  YAML::Node root = YAML::Load("fake: {steps: 1}\n");
  YamlOrigin origin{"job.yaml", {}};
  ASSERT_TRUE(ApplyOverride("fake.steps=soon", root, &origin).ok());
  v1::JobSpec spec;
  EXPECT_EQ(YamlToMessage(root, origin, &spec).message(),
            "--set fake.steps: fake.steps must be a whole number, not \"soon\"");
}

TEST(YamlMessageTest, OverridesThatNameNothingAreRefused) {
  YAML::Node root = YAML::Load("name: a\nroles: [{name: trainer}]\n");
  YamlOrigin origin{"job.yaml", {}};
  EXPECT_THAT(std::string(ApplyOverride("name", root, &origin).message()),
              HasSubstr("write it as path.to.field=value"));
  EXPECT_THAT(std::string(ApplyOverride("roles.learner.count=1", root, &origin).message()),
              HasSubstr("roles has 1 elements and none is \"learner\""));
  EXPECT_THAT(std::string(ApplyOverride("name.x=1", root, &origin).message()),
              HasSubstr("name is a value, it has no fields"));
}

}  // namespace
}  // namespace trainyard::cli
