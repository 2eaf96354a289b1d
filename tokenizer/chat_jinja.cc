#include "tokenizer/chat_jinja.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/json.h"

namespace trainyard::tokenizer {
namespace {

// JSON's escapes are Jinja's.
std::string Quoted(absl::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', /*ensure_ascii=*/true);
}

std::string Output(const std::vector<std::string>& terms) {
  std::string sum;
  for (const std::string& term : terms) {
    if (term.empty() || term == "\"\"") continue;
    absl::StrAppend(&sum, sum.empty() ? "" : " + ", term);
  }
  return sum.empty() ? "" : absl::StrCat("{{ ", sum, " }}");
}

// The statements of a template, one after the other without any white space between.
class Writer {
 public:
  explicit Writer(const ChatTemplateSpec& spec) : spec_(spec) {}

  std::string Write() {
    out_ = Output({Quoted(spec_.begin)});
    Start();
    if (spec_.thinking != Thinking::kNone) FindLastQuestion();
    out_ += "{% for message in turns %}";
    if (spec_.alternate) {
      out_ +=
          "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
          "{{ raise_exception('After the optional system message the roles must alternate user, "
          "assistant, user, ...') }}{% endif %}";
    }
    const char* keyword = "if";
    for (const auto& [role, format] : spec_.roles) {
      if (role == kSystemRole && in_user()) continue;
      absl::StrAppend(&out_, "{% ", keyword, " message['role'] == ", Quoted(role), " %}");
      Turn(role, format);
      keyword = "elif";
    }
    out_ +=
        "{% else %}{{ raise_exception('The chat template has no such role here: ' + "
        "message['role']) }}{% endif %}{% endfor %}";
    AskAnswer();
    return std::move(out_);
  }

 private:
  bool in_user() const {
    return spec_.system_place == SystemPlace::kFirstUser ||
           spec_.system_place == SystemPlace::kLastUser;
  }

  // Sets `turns`, and `system` for a system message that stands in a user's.
  void Start() {
    const auto system = spec_.roles.find(kSystemRole);
    if (spec_.system_place == SystemPlace::kBegin && system != spec_.roles.end()) {
      absl::StrAppend(&out_, "{% set turns = messages %}{% if messages[0]['role'] == 'system' %}",
                      Output({absl::StrCat("(messages[0]['content']",
                                           system->second.trim ? " | trim)" : ")")}),
                      "{% set turns = messages[1:] %}{% endif %}",
                      Output({Quoted(system->second.suffix)}));
      return;
    }
    if (in_user() && system != spec_.roles.end()) {
      absl::StrAppend(&out_, "{% if messages[0]['role'] == 'system' %}",
                      "{% set system = ", Quoted(system->second.prefix),
                      " + messages[0]['content'] + ", Quoted(system->second.suffix), " %}",
                      "{% set turns = messages[1:] %}",
                      "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}");
      return;
    }
    if (!spec_.default_system.empty() && system != spec_.roles.end()) {
      absl::StrAppend(&out_, "{% if messages[0]['role'] != 'system' %}",
                      Output({Quoted(system->second.prefix + spec_.default_system +
                                     system->second.suffix)}),
                      "{% endif %}");
    }
    out_ += "{% set turns = messages %}";
  }

  void FindLastQuestion() {
    out_ +=
        "{% set last = namespace(question=messages|length - 1) %}{% for message in messages %}"
        "{% if message['role'] == 'user' and not (message['content'].startswith("
        "'<tool_response>') and message['content'].endswith('</tool_response>')) %}"
        "{% set last.question = loop.index0 %}{% endif %}{% endfor %}";
  }

  void Turn(const std::string& role, const RoleFormat& format) {
    if (role == kAssistantRole && spec_.thinking != Thinking::kNone) return Thought(format);
    std::string text = "message['content']";
    if (role == kUserRole && in_user()) {
      const bool first = spec_.system_place == SystemPlace::kFirstUser;
      text = absl::StrCat("((system if loop.", first ? "first" : "last", " else '') + ", text, ")");
    }
    if (format.trim) text += " | trim";
    out_ += Output({Quoted(format.prefix), Quoted(role == kAssistantRole ? spec_.answer_begin : ""),
                    absl::StrCat("(", text, ")"), Quoted(format.suffix)});
  }

  void Thought(const RoleFormat& format) {
    absl::StrAppend(
        &out_,
        "{% set text = message['content'] %}{% set thought = '' %}{% if '</think>' in text %}"
        "{% set thought = text.split('</think>')[0].rstrip('\\n').split('<think>')[-1].strip('\\n')"
        " %}{% set text = text.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
        "{% if loop.index0 > last.question and (loop.last or thought) %}"
        "{% set text = '<think>\\n' + thought + '\\n</think>\\n\\n' + text.lstrip('\\n') %}"
        "{% endif %}",
        Output({Quoted(format.prefix), Quoted(spec_.answer_begin), "text",
                Quoted(format.suffix)}));
  }

  void AskAnswer() {
    const auto assistant = spec_.roles.find(kAssistantRole);
    if (assistant == spec_.roles.end()) return;
    std::string ask = assistant->second.prefix;
    if (spec_.thinking == Thinking::kOff) ask += "<think>\n\n</think>\n\n";
    if (ask.empty()) return;
    absl::StrAppend(&out_, "{% if add_generation_prompt %}", Output({Quoted(ask)}), "{% endif %}");
  }

  const ChatTemplateSpec& spec_;
  std::string out_;
};

// Takes a Jinja text apart as Jinja's lexer does with trim_blocks and lstrip_blocks.
class Canonical {
 public:
  explicit Canonical(absl::string_view jinja) : rest_(jinja) {}

  std::string Write() {
    while (!rest_.empty()) {
      const size_t begin = FindTag();
      Raw(rest_.substr(0, begin), begin == rest_.size() ? "" : rest_.substr(begin));
      rest_.remove_prefix(begin);
      if (!rest_.empty()) Tag();
    }
    return std::move(out_);
  }

 private:
  size_t FindTag() const {
    for (size_t at = 0; at + 1 < rest_.size(); ++at) {
      if (rest_[at] == '{' && absl::StrContains("{%#", rest_.substr(at + 1, 1))) return at;
    }
    return rest_.size();
  }

  // Text in front of `tag`, which is empty at the end.
  void Raw(absl::string_view text, absl::string_view tag) {
    const absl::string_view sign = tag.substr(0, 3).substr(tag.empty() ? 0 : 2);
    if (sign == "-") {
      text = absl::StripTrailingAsciiWhitespace(text);
    } else if (sign != "+" && !tag.empty() && tag[1] != '{') {
      const size_t line = text.rfind('\n') + 1;
      const bool whole_line = line > 0 || line_starts_;
      if (whole_line && absl::StripAsciiWhitespace(text.substr(line)).empty()) {
        text = text.substr(0, line);
      }
    }
    out_.append(text.data(), text.size());
  }

  void Tag() {
    const char kind = rest_[1];
    const std::string close = kind == '{' ? "}}" : std::string(1, kind) + "}";
    rest_.remove_prefix(2);
    if (!rest_.empty() && (rest_[0] == '-' || rest_[0] == '+')) rest_.remove_prefix(1);
    std::string body = kind == '#' ? TakeComment() : TakeBody(close);
    char sign = ' ';
    if (!body.empty() && (body.back() == '-' || body.back() == '+')) {
      sign = body.back();
      body.pop_back();
    }
    rest_.remove_prefix(std::min(close.size(), rest_.size()));
    line_starts_ = false;
    if (sign == '-') {
      const absl::string_view left = absl::StripLeadingAsciiWhitespace(rest_);
      line_starts_ = left.size() < rest_.size() && left.data()[-1] == '\n';
      rest_ = left;
    } else if (sign == ' ' && kind != '{' && absl::StartsWith(rest_, "\n")) {
      rest_.remove_prefix(1);
      line_starts_ = true;
    }
    if (kind == '#') return;
    absl::StrAppend(&out_, "{", std::string(1, kind), absl::StripAsciiWhitespace(body), close);
  }

  std::string TakeComment() {
    const size_t end = std::min(rest_.find("#}"), rest_.size());
    const std::string body(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return body;
  }

  // Up to `close`, white space outside of quotes as one space.
  std::string TakeBody(const std::string& close) {
    std::string body;
    char quote = '\0';
    while (!rest_.empty()) {
      const char c = rest_[0];
      if (quote == '\0' && absl::StartsWith(rest_, close)) break;
      rest_.remove_prefix(1);
      if (quote != '\0') {
        body += c == '\n' ? "\\n" : std::string(1, c);  // the same in a Jinja string
        if (c == '\\' && !rest_.empty()) {
          body += rest_[0];
          rest_.remove_prefix(1);
        } else if (c == quote) {
          quote = '\0';
        }
        continue;
      }
      if (c == '"' || c == '\'') quote = c;
      if (!absl::ascii_isspace(static_cast<unsigned char>(c))) {
        body += c;
      } else if (!body.empty() && body.back() != ' ') {
        body += ' ';
      }
    }
    return body;
  }

  absl::string_view rest_;
  bool line_starts_ = true;  // the text or the tag before ended with a line
  std::string out_;
};

}  // namespace

std::string ChatTemplateJinja(const ChatTemplateSpec& spec) { return Writer(spec).Write(); }

std::string CanonicalJinja(absl::string_view jinja) {
  std::string text = absl::StrReplaceAll(jinja, {{"\r\n", "\n"}});
  if (absl::EndsWith(text, "\n")) text.pop_back();
  return Canonical(text).Write();
}

}  // namespace trainyard::tokenizer
