// A conversation with a model, as the tokens that its template makes of it: without a cluster or a
// terminal.

#ifndef TRAINYARD_CLI_CONVERSATION_H_
#define TRAINYARD_CLI_CONVERSATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "trainyard/v1/config.pb.h"
#include "trainyard/v1/rollout.pb.h"

namespace trainyard::cli {

// Owned by one thread.
class Conversation {
 public:
  // With the model in `directory`: its tokenizer, its context, and the template named, or its own
  // (empty). InvalidArgument: there is none; lists the names. NotFound names the missing file.
  static absl::StatusOr<Conversation> Open(const std::string& directory,
                                           const std::string& template_name);

  // What is said before everything; empty: nothing.
  void SetSystem(const std::string& text) { system_ = text; }
  // Forgets what was said, but for the system's text.
  void Reset() { messages_.clear(); }

  // The request for an answer to `text` after what was said so far: one sample, streamed.
  // `sampling` is the user's; its max_new_tokens of 0 means as much as the context holds.
  // InvalidArgument: it asks for more than one answer, or names what is no token;
  // ResourceExhausted: the conversation does not fit the model's context, with the numbers.
  absl::StatusOr<v1::GenerateRequest> Ask(const std::string& text,
                                          const v1::SamplingSpec& sampling) const;

  // Keeps a turn: what was asked and what was answered.
  void Keep(const std::string& text, const std::string& answer);

  // The answer in a trajectory of a request of Ask, without special tokens.
  std::string AnswerOf(const v1::GenerateRequest& request, const v1::Trajectory& trajectory) const;

 private:
  Conversation() = default;
  absl::StatusOr<v1::SamplingParameters> Parameters(const v1::SamplingSpec& sampling) const;

  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::string tokenizer_sha256_;
  std::unique_ptr<tokenizer::ChatTemplate> template_;
  std::vector<int32_t> end_ids_;
  int64_t context_tokens_ = 0;
  std::string system_;
  std::vector<tokenizer::ChatMessage> messages_;
};

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_CONVERSATION_H_
