#include "tokenizer/added_vocabulary.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

// What Rust's regex crate understands by \w.
constexpr char kWordCharacter[] = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}]";

uint64_t Edge(int32_t node, char byte) {
  return static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(byte);
}

size_t LastCharacter(absl::string_view text) {
  size_t last = text.size() - 1;
  while (last > 0 && (static_cast<uint8_t>(text[last]) & 0xC0) == 0x80) --last;
  return last;
}

// Where the white space before `end` begins.
size_t SpacesBefore(absl::string_view text, size_t end) {
  while (end > 0) {
    const size_t last = LastCharacter(text.substr(0, end));
    if (!IsWhiteSpace(DecodeUtf8(text.data() + last))) break;
    end = last;
  }
  return end;
}

// Where the white space behind `begin` ends.
size_t SpacesBehind(absl::string_view text, size_t begin) {
  while (begin < text.size() && IsWhiteSpace(DecodeUtf8(text.data() + begin))) {
    begin += Utf8Length(text[begin]);
  }
  return begin;
}

}  // namespace

void TokenTrie::Insert(absl::string_view text, int32_t value) {
  if (text.empty()) return;
  starts_[static_cast<uint8_t>(text[0])] = true;
  int32_t node = 0;
  for (const char byte : text) {
    const auto [child, is_new] = children_.try_emplace(Edge(node, byte), nodes_);
    if (is_new) ++nodes_;
    node = child->second;
  }
  values_[node] = value;
}

TokenTrie::Found TokenTrie::FindNext(absl::string_view text, size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!starts_[static_cast<uint8_t>(text[begin])]) continue;
    Found found;
    int32_t node = 0;
    for (size_t at = begin; at < text.size(); ++at) {
      const auto child = children_.find(Edge(node, text[at]));
      if (child == children_.end()) break;
      node = child->second;
      const auto value = values_.find(node);
      if (value != values_.end()) found = {begin, at + 1, value->second};
    }
    if (found.value >= 0) return found;
  }
  return {};
}

absl::StatusOr<AddedVocabulary> AddedVocabulary::Build(std::vector<AddedToken> tokens,
                                                       const Normalizer* normalizer) {
  AddedVocabulary added;
  absl::flat_hash_map<TokenId, AddedToken> by_id;
  for (AddedToken& token : tokens) by_id[token.id] = std::move(token);
  for (auto& [id, token] : by_id) added.tokens_.push_back(std::move(token));
  std::sort(added.tokens_.begin(), added.tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (size_t i = 0; i < added.tokens_.size(); ++i) {
    const AddedToken& token = added.tokens_[i];
    NormalText normal{token.content, 0};
    if (token.normalized && normalizer != nullptr) normalizer->Apply(&normal);
    (token.normalized ? added.normal_ : added.raw_).Insert(normal.text, static_cast<int32_t>(i));
    (token.normalized ? added.normal_has_plain_ : added.raw_has_plain_) |= !token.special;
    if (token.special) added.special_texts_.insert(token.content);
    added.texts_[token.id] = std::move(normal.text);
    if (token.single_word && added.word_ == nullptr) {
      TY_ASSIGN_OR_RETURN(added.word_, Regex::Compile(kWordCharacter, RegexSyntax::kPcre2));
    }
  }
  return added;
}

bool AddedVocabulary::CanFind(Search search) const {
  if (search.specials == AddedTokens::kParse) return !(search.normal ? normal_ : raw_).empty();
  return search.normal ? normal_has_plain_ : raw_has_plain_;
}

bool AddedVocabulary::IsSingleWord(absl::string_view text, size_t begin, size_t end) const {
  const auto is_word = [this](absl::string_view character) {
    std::vector<std::pair<size_t, size_t>> matches;
    word_->FindAll(character, &matches);
    return !matches.empty();
  };
  if (begin > 0 && is_word(text.substr(0, begin).substr(LastCharacter(text.substr(0, begin))))) {
    return false;
  }
  return end == text.size() || !is_word(text.substr(end, Utf8Length(text[end])));
}

void AddedVocabulary::Find(absl::string_view text, Search search,
                           std::vector<Section>* sections) const {
  const TokenTrie& trie = search.normal ? normal_ : raw_;
  const auto part = [text](size_t begin, size_t end) { return text.substr(begin, end - begin); };
  size_t done = 0;
  for (size_t from = 0;;) {
    const TokenTrie::Found found = trie.FindNext(text, from);
    if (found.value < 0) break;
    from = found.end;
    const AddedToken& token = tokens_[found.value];
    if (token.special && search.specials == AddedTokens::kAsText) continue;
    if (token.single_word && !IsSingleWord(text, found.begin, found.end)) continue;
    const size_t begin =
        token.lstrip ? std::max(SpacesBefore(text, found.begin), done) : found.begin;
    const size_t end = token.rstrip ? SpacesBehind(text, found.end) : found.end;
    if (done < begin) sections->push_back({part(done, begin), -1});
    if (begin < end) sections->push_back({part(begin, end), token.id});
    done = end;
  }
  if (done < text.size()) sections->push_back({text.substr(done), -1});
}

const std::string* AddedVocabulary::TextOf(TokenId id) const {
  const auto found = texts_.find(id);
  return found == texts_.end() ? nullptr : &found->second;
}

}  // namespace trainyard::tokenizer
