#include "tokenizer/regex_syntax.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kWordClass[] = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
// Out of a class Oniguruma reads it from a table of Latin-1, which has some more.
constexpr char kLatinWords[] = "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
constexpr char kHexClass[] = "0-9A-Fa-f";

// What PCRE2 calls a property: general categories and binary properties by their short names, and
// scripts as such (of a bare name it would take the script extensions).
std::string PropertyName(absl::string_view name) {
  static const auto* const kNames = new absl::flat_hash_map<std::string, std::string>{
      {"letter", "L"},
      {"uppercaseletter", "Lu"},
      {"lowercaseletter", "Ll"},
      {"titlecaseletter", "Lt"},
      {"modifierletter", "Lm"},
      {"otherletter", "Lo"},
      {"mark", "M"},
      {"nonspacingmark", "Mn"},
      {"spacingmark", "Mc"},
      {"enclosingmark", "Me"},
      {"number", "N"},
      {"decimalnumber", "Nd"},
      {"letternumber", "Nl"},
      {"othernumber", "No"},
      {"punctuation", "P"},
      {"symbol", "S"},
      {"mathsymbol", "Sm"},
      {"currencysymbol", "Sc"},
      {"modifiersymbol", "Sk"},
      {"othersymbol", "So"},
      {"separator", "Z"},
      {"spaceseparator", "Zs"},
      {"other", "C"},
      {"control", "Cc"},
      {"format", "Cf"},
      {"alpha", "Alphabetic"},
      {"digit", "Nd"},
      {"space", "White_Space"},
      {"whitespace", "White_Space"},
      {"alphabetic", "Alphabetic"},
      {"uppercase", "Uppercase"},
      {"lowercase", "Lowercase"},
      {"any", "Any"},
      {"ascii", "ASCII"},
      {"emoji", "Emoji"},
      {"ideographic", "Ideographic"},
      {"math", "Math"},
      {"dash", "Dash"},
      {"cased", "Cased"},
      {"emojipresentation", "Emoji_Presentation"},
      {"extendedpictographic", "Extended_Pictographic"},
  };
  std::string key;
  for (const char c : name) {
    if (c != '_' && c != ' ' && c != '-') key.push_back(absl::ascii_tolower(c));
  }
  const auto found = kNames->find(key);
  if (found != kNames->end()) return found->second;
  return name.size() <= 2 ? std::string(name) : absl::StrCat("sc:", name);
}

// Reads a pattern once from left to right.
class Translator {
 public:
  explicit Translator(absl::string_view pattern) : pattern_(pattern) {}

  absl::StatusOr<std::string> Run() {
    while (at_ < pattern_.size()) TY_RETURN_IF_ERROR(Element());
    if (groups_.size() != 1) return Wrong("a group is not closed");
    out_.append(groups_[0].closers, ')');
    return std::move(out_);
  }

 private:
  struct Group {
    size_t begin = 0;    // in out_
    size_t closers = 0;  // of groups that options in its midst have opened
  };

  absl::Status Wrong(absl::string_view why) const {
    return absl::InvalidArgumentError(
        absl::StrCat("pattern \"", pattern_, "\" is not supported near byte ", at_, ": ", why));
  }
  bool StartsWith(absl::string_view text) const {
    return absl::StartsWith(pattern_.substr(at_), text);
  }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }
  void CopyCharacter() {
    const size_t size = std::min<size_t>(Utf8Length(pattern_[at_]), pattern_.size() - at_);
    absl::StrAppend(&out_, pattern_.substr(at_, size));
    at_ += size;
  }

  absl::Status Element() {
    switch (Peek()) {
      case '(':
        return Open();
      case ')':
        return Close();
      case '*':
      case '+':
      case '?':
        Repeat();
        return absl::OkStatus();
      case '{':
        return Interval();
      case '|':
        CopyCharacter();
        return absl::OkStatus();
      case '[':
        atom_ = out_.size();
        return Class();
      case '\\':
        atom_ = out_.size();
        return Escape();
      default:
        atom_ = out_.size();
        CopyCharacter();
        return absl::OkStatus();
    }
  }

  // Greedy, lazy or possessive.
  void Repeat() {
    CopyCharacter();
    if (Peek() == '?' || Peek() == '+') CopyCharacter();
  }

  // {n}, {n,}, {,m} and {n,m}; any other brace is itself. Here "+" repeats what is repeated, and
  // {n}? means n times or not at all.
  absl::Status Interval() {
    const size_t end = pattern_.find('}', at_);
    const absl::string_view inside =
        end == absl::string_view::npos ? "" : pattern_.substr(at_ + 1, end - at_ - 1);
    const size_t comma = inside.find(',');
    const bool numbers = inside.find_first_not_of("0123456789,") == absl::string_view::npos &&
                         inside.find_first_of("0123456789") != absl::string_view::npos &&
                         (comma == absl::string_view::npos ||
                          inside.find(',', comma + 1) == absl::string_view::npos);
    if (!numbers) {
      atom_ = out_.size();
      out_.append("\\{");
      ++at_;
      return absl::OkStatus();
    }
    absl::StrAppend(&out_, "{", comma == 0 ? "0" : "", inside, "}");
    at_ = end + 1;
    const bool exact = comma == absl::string_view::npos;
    if (Peek() == '+' || (Peek() == '?' && exact)) {
      out_.insert(atom_, "(?:");
      out_.push_back(')');
      out_.push_back(Peek());
      ++at_;
    } else if (Peek() == '?') {
      CopyCharacter();
    }
    return absl::OkStatus();
  }

  absl::Status Open() {
    if (Peek(1) == '*') return Wrong("\"(*\"");
    if (Peek(1) == '?') {
      for (const absl::string_view unknown : {"(?~", "(?(", "(?{", "(?R", "(?&", "(?P", "(?|"}) {
        if (StartsWith(unknown)) return Wrong(absl::StrCat("\"", unknown, "\""));
      }
      const char kind = Peek(2);
      if (kind == '-' || absl::ascii_isalpha(kind)) return Options();
      if (kind == '#') {
        const size_t end = pattern_.find(')', at_);
        if (end == absl::string_view::npos) return Wrong("a comment is not closed");
        at_ = end + 1;
        return absl::OkStatus();
      }
    }
    groups_.push_back({out_.size(), 0});
    CopyCharacter();
    if (Peek() != '?') return absl::OkStatus();
    CopyCharacter();  // "?", its kind, and what belongs to it
    const bool look_behind = Peek() == '<' && (Peek(1) == '=' || Peek(1) == '!');
    CopyCharacter();
    if (look_behind) CopyCharacter();
    return absl::OkStatus();
  }

  // (?imx-imx:...) and (?imx-imx), which holds to the end of its group, alternatives included. "m"
  // lets a dot match a line's end: PCRE2's "s".
  absl::Status Options() {
    size_t end = at_ + 2;
    std::string options;
    while (end < pattern_.size() && pattern_[end] != ')' && pattern_[end] != ':') {
      const char option = pattern_[end++];
      if (option != 'i' && option != 'm' && option != 'x' && option != '-') {
        return Wrong(absl::StrCat("option \"", std::string(1, option), "\"; i, m and x are"));
      }
      options.push_back(option == 'm' ? 's' : option);
    }
    if (end == pattern_.size()) return Wrong("a group is not closed");
    if (pattern_[end] == ':') {
      groups_.push_back({out_.size(), 0});
    } else {
      ++groups_.back().closers;
    }
    absl::StrAppend(&out_, "(?", options, ":");
    at_ = end + 1;
    return absl::OkStatus();
  }

  absl::Status Close() {
    if (groups_.size() == 1) return Wrong("a group is closed that was not opened");
    out_.append(groups_.back().closers + 1, ')');
    atom_ = groups_.back().begin;
    groups_.pop_back();
    ++at_;
    return absl::OkStatus();
  }

  // \uHHHH, \xHH, \x{H...}
  absl::Status CodePoint() {
    const bool braces = Peek(1) == 'x' && Peek(2) == '{';
    const size_t begin = at_ + (braces ? 3 : 2);
    const size_t most = braces ? 8 : Peek(1) == 'u' ? 4 : 2;
    size_t end = begin;
    while (end < pattern_.size() && end - begin < most && absl::ascii_isxdigit(pattern_[end]))
      ++end;
    const absl::string_view digits = pattern_.substr(begin, end - begin);
    if (digits.empty() || (Peek(1) == 'u' && digits.size() != 4) ||
        (braces && (end == pattern_.size() || pattern_[end] != '}'))) {
      return Wrong("a character's number is cut short");
    }
    if (!braces && Peek(1) == 'x' && digits.size() == 2 && digits[0] >= '8') {
      return Wrong("a raw byte of a character; write \\x{...}");
    }
    absl::StrAppend(&out_, "\\x{", digits, "}");
    at_ = end + (braces ? 1 : 0);
    return absl::OkStatus();
  }

  absl::Status Property() {
    if (Peek(2) != '{') return Wrong("a property without braces");
    const size_t end = pattern_.find('}', at_);
    if (end == absl::string_view::npos) return Wrong("a property is not closed");
    absl::string_view name = pattern_.substr(at_ + 3, end - at_ - 3);
    bool negative = Peek(1) == 'P';
    if (absl::StartsWith(name, "^")) {
      negative = !negative;
      name.remove_prefix(1);
    }
    absl::StrAppend(&out_, negative ? "\\P{" : "\\p{", PropertyName(name), "}");
    at_ = end + 1;
    return absl::OkStatus();
  }

  void Write(absl::string_view text) {
    absl::StrAppend(&out_, text);
    at_ += 2;
  }

  absl::Status Escape() {
    const std::string word = absl::StrCat("[", kWordClass, kLatinWords, "]");
    switch (Peek(1)) {
      case '\0':
        return Wrong("nothing is escaped");
      case 'h':
        Write(absl::StrCat("[", kHexClass, "]"));
        return absl::OkStatus();
      case 'H':
        Write(absl::StrCat("[^", kHexClass, "]"));
        return absl::OkStatus();
      case 'w':
        Write(word);
        return absl::OkStatus();
      case 'W':
        Write(absl::StrCat("[^", kWordClass, kLatinWords, "]"));
        return absl::OkStatus();
      case 'b':
        Write(absl::StrCat("(?:(?<=", word, ")(?!", word, ")|(?<!", word, ")(?=", word, "))"));
        return absl::OkStatus();
      case 'B':
        Write(absl::StrCat("(?:(?<=", word, ")(?=", word, ")|(?<!", word, ")(?!", word, "))"));
        return absl::OkStatus();
      default:
        return EscapeAnywhere("AzZGKRXkg123456789");
    }
  }

  // Those that mean the same in and out of a class; `others` as well.
  absl::Status EscapeAnywhere(absl::string_view others) {
    const char kind = Peek(1);
    switch (kind) {
      case 's':
        Write("\\p{White_Space}");
        return absl::OkStatus();
      case 'S':
        Write("\\P{White_Space}");
        return absl::OkStatus();
      case 'v':
        Write("\\x{0B}");
        return absl::OkStatus();
      case 'p':
      case 'P':
        return Property();
      case 'u':
      case 'x':
        return CodePoint();
      default:
        break;
    }
    const bool letter = absl::ascii_isalnum(static_cast<unsigned char>(kind));
    if (letter && absl::string_view("dDaefnrt0").find(kind) == absl::string_view::npos &&
        others.find(kind) == absl::string_view::npos) {
      return Wrong(absl::StrCat("\"\\", std::string(1, kind), "\""));
    }
    out_.push_back('\\');
    ++at_;
    CopyCharacter();
    return absl::OkStatus();
  }

  absl::Status Class() {
    CopyCharacter();
    if (Peek() == '^') CopyCharacter();
    if (Peek() == ']') {
      out_.push_back('\\');
      CopyCharacter();
    }
    size_t nested = 0;  // a union's inner brackets are left out
    while (at_ < pattern_.size()) {
      if (Peek() == ']') {
        if (nested == 0) {
          CopyCharacter();
          return absl::OkStatus();
        }
        --nested;
        ++at_;
      } else if (StartsWith("[:")) {
        TY_RETURN_IF_ERROR(NamedClass());
      } else if (Peek() == '[') {
        if (Peek(1) == '^') return Wrong("a negated class in a class");
        ++nested;
        ++at_;
      } else if (StartsWith("&&")) {
        return Wrong("\"&&\" in a class");
      } else if (Peek() == '\\') {
        TY_RETURN_IF_ERROR(EscapeInClass());
      } else {
        CopyCharacter();
      }
    }
    return Wrong("a class is not closed");
  }

  absl::Status NamedClass() {
    static constexpr std::array<std::pair<absl::string_view, absl::string_view>, 6> kClasses = {{
        {"[:alpha:]", "\\p{Alphabetic}"},
        {"[:digit:]", "\\p{Nd}"},
        {"[:alnum:]", "\\p{Alphabetic}\\p{Nd}"},
        {"[:space:]", "\\p{White_Space}"},
        {"[:xdigit:]", kHexClass},
        {"[:word:]", kWordClass},
    }};
    for (const auto& [name, meaning] : kClasses) {
      if (!StartsWith(name)) continue;
      absl::StrAppend(&out_, meaning);
      at_ += name.size();
      return absl::OkStatus();
    }
    return Wrong("a named class; alpha, digit, alnum, space, xdigit and word are");
  }

  absl::Status EscapeInClass() {
    switch (Peek(1)) {
      case '\0':
        return Wrong("nothing is escaped");
      case 'h':
        Write(kHexClass);
        return absl::OkStatus();
      case 'w':
        Write(kWordClass);
        return absl::OkStatus();
      default:
        return EscapeAnywhere("b");
    }
  }

  const absl::string_view pattern_;
  size_t at_ = 0;
  std::string out_;
  size_t atom_ = 0;  // in out_: where what a quantifier repeats begins
  std::vector<Group> groups_ = {Group{}};
};

}  // namespace

absl::StatusOr<std::string> OnigurumaToPcre2(absl::string_view pattern) {
  return Translator(pattern).Run();
}

}  // namespace trainyard::tokenizer
