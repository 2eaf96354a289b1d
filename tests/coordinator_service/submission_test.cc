#include "coordinator/submission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/status.h"
#include "tests/coordinator_service/spec_texts.h"

namespace trainyard::coordinator {
namespace {

v1::SubmitJobRequest RequestOf(const v1::JobSpec& spec) {
  v1::SubmitJobRequest request;
  request.set_request_id("r");
  *request.mutable_spec() = spec;
  return request;
}

TEST(SubmissionTest, TheSameBodyHasTheSameDigestAlthoughIdsAreFresh) {
  v1::JobSpec spec = Job(kFake, {"labels={a: '1', b: '2', c: '3'}"});
  const auto first = MakeSubmission(RequestOf(spec));
  const auto second = MakeSubmission(RequestOf(spec));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->body_digest, second->body_digest);
  EXPECT_NE(first->job.id, second->job.id);
  EXPECT_NE(first->job.secret, second->job.secret);
  spec.set_seed(1);
  EXPECT_NE(MakeSubmission(RequestOf(spec))->body_digest, first->body_digest);
}

TEST(SubmissionTest, WhatIsStoredHasItsDefaults) {
  const auto event = MakeSubmission(RequestOf(Job(kSft)));
  ASSERT_TRUE(event.ok());
  v1::JobSpec stored;
  ASSERT_TRUE(stored.ParseFromString(event->job.spec));
  EXPECT_EQ(stored.roles(0).name(), "trainer");
  EXPECT_EQ(stored.run_uri(), "root://runs/" + event->job.id);
  EXPECT_EQ(event->job.shape.kind, "sft");
}

TEST(SubmissionTest, ARequestIdIsNeededToStoreAndNotToCheck) {
  v1::SubmitJobRequest request = RequestOf(Job(kFake));
  request.clear_request_id();
  EXPECT_EQ(MakeSubmission(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.set_validate_only(true);
  EXPECT_TRUE(MakeSubmission(request).ok());
  request.set_request_id(std::string(129, 'x'));
  EXPECT_FALSE(MakeSubmission(request).ok());
}

TEST(SubmissionTest, AHugeSpecIsRefusedByItsSize) {
  v1::JobSpec spec = Job(kSft);
  for (int i = 0; i < 2000; ++i) {
    spec.mutable_sft()->mutable_data()->add_instruction_templates(std::string(600, 'x'));
  }
  const auto event = MakeSubmission(RequestOf(spec));
  EXPECT_EQ(rpc::DetailOf(event.status())->reason, "TOO_LARGE");
}

TEST(SubmissionTest, AllStagesOfAPipelineHaveIdsOfTheirOwn) {
  v1::SubmitPipelineRequest request;
  request.set_request_id("r");
  *request.mutable_spec() =
      Pipeline("name: p\nstages:\n- {name: a, fake: {steps: 1}}\n- {name: b, fake: {steps: 1}}\n");
  const auto event = MakeSubmission(request);
  ASSERT_TRUE(event.ok()) << event.status();
  ASSERT_EQ(event->stages.size(), 2u);
  EXPECT_NE(event->stages[0].id, event->stages[1].id);
  EXPECT_EQ(event->stages[1].shape.run_uri, "root://runs/" + event->id + "/b");
}

}  // namespace
}  // namespace trainyard::coordinator
