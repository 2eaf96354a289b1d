// What a chat template says, in words: values without a tokenizer.

#ifndef TRAINYARD_TOKENIZER_CHAT_SPEC_H_
#define TRAINYARD_TOKENIZER_CHAT_SPEC_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace trainyard::tokenizer {

inline constexpr char kSystemRole[] = "system";
inline constexpr char kUserRole[] = "user";
inline constexpr char kAssistantRole[] = "assistant";

struct ChatMessage {
  std::string role;  // a role of the template: system, user, assistant
  std::string content;
  bool train = true;  // counts only for assistant messages
};

// What stands around a role's text. Trusted: added tokens in it become their ids.
struct RoleFormat {
  std::string prefix;
  std::string suffix;
  bool trim = false;  // white space at both ends of the text is dropped
};

// Where a system message at the start of a conversation stands. One that stands elsewhere in the
// conversation is a turn of its own, or refused when system messages stand in a user's.
enum class SystemPlace {
  kOwnTurn,
  kFirstUser,  // in front of the first user's text
  kLastUser,   // in front of the last message's text when that is a user's, else nowhere
  kBegin,      // behind `begin`, which opens it; without one the turn is closed all the same
};

// Qwen3's reasoning. What an assistant's text says in front of "</think>" is the reasoning: it is
// dropped in turns before the last user's, and stands in <think> tags in those after it.
enum class Thinking {
  kNone,  // texts are as they are
  kOn,    // the last answer always has the tags, empty ones too, and is to write them
  kOff,   // an answer is asked for behind empty tags
};

// A template in words; tokenizer/chat_template.h has one bound to a tokenizer.
struct ChatTemplateSpec {
  std::string name;                         // of tokenizer/chat_catalog.h; empty: none of those
  std::string begin;                        // once, before the first message
  std::map<std::string, RoleFormat> roles;  // must have "assistant"
  // An added token; the assistant's suffix holds it, and sampling stops there.
  std::string end_of_turn;
  // Stands in front of each assistant's text, after what asks for one: the model writes it.
  std::string answer_begin;
  std::string default_system;  // of conversations that do not start with a system message
  SystemPlace system_place = SystemPlace::kOwnTurn;
  bool alternate = false;  // user and assistant must take turns, the user first
  Thinking thinking = Thinking::kNone;
};

// {"begin", "roles": {"user": {"prefix", "suffix"}, ...}, "end_of_turn"}, and the other fields
// where they say something; `document` names it. InvalidArgument names the field.
absl::StatusOr<ChatTemplateSpec> ParseChatTemplate(const Json& json, absl::string_view document);
Json ChatTemplateJson(const ChatTemplateSpec& spec);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_CHAT_SPEC_H_
