// From an assignment to what the controller is told. Only spec.cc sees protobuf.

#ifndef TRAINYARD_PPO_SPEC_H_
#define TRAINYARD_PPO_SPEC_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/prompt_source.h"
#include "ppo/options.h"
#include "task/assignment.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace trainyard::ppo {

// A PPO job, with its tokenizer and prompts loaded.
struct PpoJob {
  ControllerOptions options;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  std::unique_ptr<tokenizer::ChatTemplate> chat_template;
  std::unique_ptr<data::PromptSource> train;
  std::unique_ptr<data::PromptSource> validation;  // null: none
};

// InvalidArgument names the field and its limits; NotFound the file.
absl::StatusOr<PpoJob> LoadPpoJob(const task::Assignment& assignment);

}  // namespace trainyard::ppo

#endif  // TRAINYARD_PPO_SPEC_H_
