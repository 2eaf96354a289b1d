// Our side of the parity test of chat templates: a JSON request per line, an answer per line.
//
// {"tokenizer", "name", "begin", "end", "messages", "ask"} -> {"ids", "trained", "text", "jinja"}
// {"recognise", "begin", "end"} -> {"name"}; an error -> {"error"}

#include <iostream>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::tokenizer {
namespace {

std::vector<ChatMessage> MessagesOf(const Json& request) {
  std::vector<ChatMessage> messages;
  for (const Json& message : request.at("messages")) {
    messages.push_back({message.at("role").get<std::string>(),
                        message.at("content").get<std::string>(), message.value("train", true)});
  }
  return messages;
}

absl::StatusOr<Json> Answer(const Json& request, const Tokenizer& tokenizer) {
  const ChatTokens tokens = {request.value("begin", ""), request.value("end", "")};
  if (request.contains("recognise")) {
    TY_ASSIGN_OR_RETURN(const ChatTemplateSpec spec,
                        RecogniseChatTemplate(request["recognise"].get<std::string>(), tokens,
                                              "the request"));
    return Json{{"name", spec.name}};
  }
  TY_ASSIGN_OR_RETURN(const ChatTemplateSpec spec,
                      NamedChatTemplate(request.at("name").get<std::string>(), tokens));
  TY_ASSIGN_OR_RETURN(const ChatTemplate bound, ChatTemplate::Bind(spec, tokenizer));
  const bool ask = request.at("ask").get<bool>();
  const std::vector<ChatMessage> messages = MessagesOf(request);
  TY_ASSIGN_OR_RETURN(const RenderedChat chat,
                      ask ? bound.RenderPrompt(messages) : bound.Render(messages));
  TY_ASSIGN_OR_RETURN(const auto pieces, LayOutChat(spec, messages,
                                                    ask ? ChatEnd::kAskAnswer : ChatEnd::kWhole));
  std::string text;
  for (const ChatPiece& piece : pieces) text += piece.text;
  Json trained = Json::array();
  for (const uint8_t flags : chat.flags) trained.push_back((flags & kTrained) != 0 ? 1 : 0);
  return Json{{"ids", chat.ids}, {"trained", trained}, {"text", text},
              {"jinja", ChatTemplateJinja(spec)}};
}

int Run(const std::string& tokenizer_path) {
  const auto tokenizer = LoadTokenizer(tokenizer_path);
  TY_CHECK(tokenizer.ok());
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = ParseJson(line, "request");
    TY_CHECK(request.ok());
    const auto answer = Answer(*request, **tokenizer);
    const Json json =
        answer.ok() ? *answer : Json{{"error", std::string(answer.status().message())}};
    std::cout << json.dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace trainyard::tokenizer

int main(int argc, char** argv) {
  TY_CHECK(argc == 2);
  return trainyard::tokenizer::Run(argv[1]);
}
