#include "tokenizer/chat_catalog.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/status.h"
#include "tokenizer/chat_jinja.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kMessageEnd[] = "<|im_end|>";
constexpr char kAlpacaTask[] =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.";

ChatTemplateSpec ChatMl(absl::string_view default_system = "") {
  ChatTemplateSpec spec;
  for (const char* role : {kSystemRole, kUserRole, kAssistantRole}) {
    spec.roles[role] = {absl::StrCat("<|im_start|>", role, "\n"), absl::StrCat(kMessageEnd, "\n")};
  }
  spec.end_of_turn = kMessageEnd;
  spec.default_system = std::string(default_system);
  return spec;
}

ChatTemplateSpec Qwen3(Thinking thinking) {
  ChatTemplateSpec spec = ChatMl();
  spec.thinking = thinking;
  return spec;
}

// The parts that differ between the formats with [INST].
struct InstFormat {
  const char* user_begin;
  const char* user_end;
  const char* answer_begin;
};

ChatTemplateSpec Inst(const ChatTokens& tokens, const InstFormat& format) {
  ChatTemplateSpec spec;
  spec.begin = tokens.begin;
  spec.roles[kUserRole] = {format.user_begin, format.user_end};
  spec.roles[kAssistantRole] = {"", tokens.end};
  spec.end_of_turn = tokens.end;
  spec.answer_begin = format.answer_begin;
  spec.alternate = true;
  return spec;
}

ChatTemplateSpec Llama2(const ChatTokens& tokens) {
  ChatTemplateSpec spec = Inst(tokens, {"[INST] ", " [/INST]", " "});
  spec.begin.clear();
  RoleFormat& user = spec.roles[kUserRole];
  user.prefix = tokens.begin + user.prefix;
  user.trim = true;
  spec.roles[kAssistantRole] = {"", absl::StrCat(" ", tokens.end), true};
  spec.roles[kSystemRole] = {"<<SYS>>\n", "\n<</SYS>>\n\n"};
  spec.system_place = SystemPlace::kFirstUser;
  return spec;
}

ChatTemplateSpec Mistral(const ChatTokens& tokens, const InstFormat& format, SystemPlace place) {
  ChatTemplateSpec spec = Inst(tokens, format);
  spec.roles[kSystemRole] = {"", "\n\n"};
  spec.system_place = place;
  return spec;
}

ChatTemplateSpec MistralV3(const ChatTokens& tokens) {
  ChatTemplateSpec spec = Mistral(tokens, {"[INST] ", "[/INST]", " "}, SystemPlace::kLastUser);
  spec.roles[kAssistantRole].trim = true;
  return spec;
}

ChatTemplateSpec Llama3(const ChatTokens& tokens) {
  ChatTemplateSpec spec;
  spec.begin = tokens.begin;
  for (const char* role : {kSystemRole, kUserRole, kAssistantRole}) {
    spec.roles[role] = {absl::StrCat("<|start_header_id|>", role, "<|end_header_id|>\n\n"),
                        "<|eot_id|>", true};
  }
  spec.end_of_turn = "<|eot_id|>";
  return spec;
}

// Of Llama 3.1, 3.2 and 3.3. Theirs may hold the day of rendering; here it is always the day that
// they fall back to: what a model was trained on must not depend on when.
ChatTemplateSpec Llama31(const ChatTokens& tokens) {
  ChatTemplateSpec spec = Llama3(tokens);
  absl::StrAppend(&spec.begin, spec.roles[kSystemRole].prefix,
                  "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n");
  spec.system_place = SystemPlace::kBegin;
  return spec;
}

ChatTemplateSpec Zephyr(const ChatTokens& tokens) {
  ChatTemplateSpec spec;
  for (const char* role : {kSystemRole, kUserRole, kAssistantRole}) {
    spec.roles[role] = {absl::StrCat("<|", role, "|>\n"), absl::StrCat(tokens.end, "\n")};
  }
  spec.end_of_turn = tokens.end;
  return spec;
}

ChatTemplateSpec Alpaca(const ChatTokens& tokens) {
  ChatTemplateSpec spec;
  spec.roles[kSystemRole] = {"", "\n\n"};
  spec.roles[kUserRole] = {"### Instruction:\n", "\n\n"};
  spec.roles[kAssistantRole] = {"### Response:\n", absl::StrCat(tokens.end, "\n\n")};
  spec.end_of_turn = tokens.end;
  spec.default_system = kAlpacaTask;
  return spec;
}

ChatTemplateSpec Plain(const ChatTokens& tokens) {
  ChatTemplateSpec spec;
  spec.roles[kSystemRole] = {"", "\n"};
  spec.roles[kUserRole] = {"", "\n"};
  spec.roles[kAssistantRole] = {"", tokens.end};
  spec.end_of_turn = tokens.end;
  return spec;
}

struct Entry {
  const char* name;
  ChatTemplateSpec (*make)(const ChatTokens& tokens);
};

constexpr Entry kEntries[] = {
    {"chatml", [](const ChatTokens&) { return ChatMl(); }},
    {"llama2", Llama2},
    {"llama3", Llama3},
    {"llama3.1", Llama31},
    {"mistral",
     [](const ChatTokens& tokens) {
       return Mistral(tokens, {" [INST] ", " [/INST]", " "}, SystemPlace::kFirstUser);
     }},
    {"mistral_v0",
     [](const ChatTokens& tokens) { return Inst(tokens, {"[INST] ", " [/INST]", ""}); }},
    {"mistral_v3", MistralV3},
    {"mistral_nemo",
     [](const ChatTokens& tokens) {
       return Mistral(tokens, {"[INST]", "[/INST]", ""}, SystemPlace::kLastUser);
     }},
    {"qwen2", [](const ChatTokens&) { return ChatMl("You are a helpful assistant."); }},
    {"qwen2.5",
     [](const ChatTokens&) {
       return ChatMl("You are Qwen, created by Alibaba Cloud. You are a helpful assistant.");
     }},
    {"qwen3", [](const ChatTokens&) { return Qwen3(Thinking::kOn); }},
    {"qwen3_nothink", [](const ChatTokens&) { return Qwen3(Thinking::kOff); }},
    {"smollm2",
     [](const ChatTokens&) {
       return ChatMl("You are a helpful AI assistant named SmolLM, trained by Hugging Face");
     }},
    {"zephyr", Zephyr},
    {"alpaca", Alpaca},
    {"plain", Plain},
};

struct Fingerprint {
  const char* sha256;  // the first half of it, of CanonicalJinja
  const char* name;
};

// Of the texts that the models were published with.
constexpr Fingerprint kPublished[] = {
    {"afa603099ba0871808fd7017871f18a2", "chatml"},
    {"b2d41cf3f9bb6212656d6ec8c6cdb6df", "llama2"},
    {"fa4a364d99e6124d293b5c0a570eaebe", "llama3"},
    {"8271aaead2adbc9737d1a08ba22ea6c9", "llama3.1"},  // of 3.1 and 3.3
    {"f8215a7337cee588f7dfdfcf0dad0a13", "llama3.1"},  // of 3.2
    {"c41435123d772d61b92f43dec935318a", "mistral"},
    {"ef44f248b637f9b87cec72fa0f58f638", "mistral_v0"},
    {"afaf35cac4d31f42d163d1bf6bf79a18", "mistral_v3"},
    {"a5d42107417d5897a8df21e75b36176a", "mistral_nemo"},
    {"41d9eeef88de546568c6667e23fa57de", "qwen2"},
    {"af971678db957a02dadf613e4108ae77", "qwen2.5"},
    {"b362128c0b247ce09655089b778a1895", "qwen3"},
    {"78075e2c2a6152910c7497f0fa673e6c", "qwen3"},
    {"d2afb6ab853a41abeda2b76145bb8295", "smollm2"},
    {"90b06aac81f42feab57cc9e2a7ec45b7", "zephyr"},
    {"d6231e25ed04530c795f8fe0c12bad95", "alpaca"},
    {"26e32bb5ac5ed7044248a11f2222b90b", "plain"},
};

const Entry* Find(absl::string_view name) {
  const auto found = std::find_if(std::begin(kEntries), std::end(kEntries),
                                  [&](const Entry& entry) { return name == entry.name; });
  return found == std::end(kEntries) ? nullptr : found;
}

}  // namespace

std::string ChatTemplateNames() {
  return absl::StrJoin(kEntries, ", ", [](std::string* out, const Entry& entry) {
    out->append(entry.name);
  });
}

bool IsChatTemplateName(absl::string_view name) { return Find(name) != nullptr; }

absl::StatusOr<ChatTemplateSpec> NamedChatTemplate(absl::string_view name,
                                                   const ChatTokens& tokens) {
  const Entry* const entry = Find(name);
  if (entry == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("chat template \"", name,
                                                   "\" is unknown; there are ", ChatTemplateNames(),
                                                   ", and custom with roles"));
  }
  ChatTemplateSpec spec = entry->make(tokens);
  if (spec.end_of_turn.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "chat template \"", name,
        "\" ends turns with the end token, and the tokenizer's config names no eos_token: give "
        "end_of_turn"));
  }
  spec.name = std::string(name);
  return spec;
}

absl::StatusOr<ChatTemplateSpec> RecogniseChatTemplate(absl::string_view jinja,
                                                       const ChatTokens& tokens,
                                                       absl::string_view document) {
  const std::string canonical = CanonicalJinja(jinja);
  const std::string sha256 = Sha256Hex(canonical).substr(0, 32);
  for (const Fingerprint& published : kPublished) {
    if (sha256 == published.sha256) return NamedChatTemplate(published.name, tokens);
  }
  for (const Entry& entry : kEntries) {
    const auto spec = NamedChatTemplate(entry.name, tokens);
    if (spec.ok() && CanonicalJinja(ChatTemplateJinja(*spec)) == canonical) return spec;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      document, " holds a chat template that is none of those known (fingerprint ", sha256,
      "); name the one that renders like it in chat_template.name: ", ChatTemplateNames(),
      ", or custom with roles"));
}

}  // namespace trainyard::tokenizer
