// What a spec must be before it is accepted: every violation at once, each with its field's path.
// Pure functions over messages; what files hold is Preflight's to check, what fits is placement's.

#ifndef TRAINYARD_COORDINATOR_SPEC_VALIDATION_H_
#define TRAINYARD_COORDINATOR_SPEC_VALIDATION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/spec_checks.h"
#include "rpc/status.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::coordinator {

// The kind of a job as its field is called ("sft"); empty when none is set.
std::string KindOf(const v1::JobSpec& spec);

// Violations of a spec as the user wrote it, defaults not yet filled in.
std::vector<rpc::FieldViolation> ValidateJob(const v1::JobSpec& spec);

// Of all stages, of their names and of references between them (an unknown stage, a circle).
std::vector<rpc::FieldViolation> ValidatePipeline(const v1::PipelineSpec& spec);

// OK when there are none; else InvalidArgument with all of them as text and as ErrorDetail
// SPEC_INVALID.
absl::Status ViolationsStatus(const std::vector<rpc::FieldViolation>& violations);

// ---- One function per kind (spec_training.cc, spec_sampling.cc); `checks` stands at its field
// ----

void ValidatePretrain(const v1::PretrainSpec& spec, SpecChecks checks);
void ValidateSft(const v1::SftSpec& spec, SpecChecks checks);
void ValidateRewardModel(const v1::RewardModelSpec& spec, SpecChecks checks);
void ValidateTokenizer(const v1::TokenizerSpec& spec, SpecChecks checks);
void ValidateTokenize(const v1::TokenizeSpec& spec, SpecChecks checks);
void ValidatePpo(const v1::PpoSpec& spec, SpecChecks checks);
void ValidateGenerate(const v1::GenerateSpec& spec, SpecChecks checks);
void ValidateEval(const v1::EvalSpec& spec, SpecChecks checks);

void ValidateEvalTasks(const v1::EvalSpec& spec, SpecChecks checks);  // spec_tasks.cc

// Parts that several kinds share.
void ValidateSource(const v1::DataSource& source, SpecChecks checks);
void ValidateData(const v1::DataSpec& data, SpecChecks checks);
void ValidateChatTemplate(const v1::ChatTemplate& chat_template, SpecChecks checks);
void ValidateOptimizer(const v1::OptimizerSpec& optimizer, SpecChecks checks);
void ValidateLora(const v1::LoraSpec& lora, SpecChecks checks);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SPEC_VALIDATION_H_
