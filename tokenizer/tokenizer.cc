#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/status.h"

namespace trainyard::tokenizer {
namespace {

// Length before bytes, so that no two contents give the same stream.
void HashBytes(absl::string_view bytes, Sha256* sha) {
  sha->Update(absl::StrCat(bytes.size(), ":"));
  sha->Update(bytes);
}

std::string ContentHash(const TokenizerParts& parts) {
  Sha256 sha;
  HashBytes("trainyard byte-level bpe 1", &sha);
  HashBytes(parts.pattern, &sha);
  HashBytes(absl::StrCat(parts.add_prefix_space, parts.ignore_merges), &sha);
  for (const std::string& bytes : parts.token_bytes) HashBytes(bytes, &sha);
  HashBytes("merges", &sha);
  for (const auto& [left, right] : parts.merges) HashBytes(absl::StrCat(left, ",", right), &sha);
  HashBytes("added", &sha);
  for (const AddedToken& token : parts.added) {
    HashBytes(absl::StrCat(token.id, token.special ? "s" : "n"), &sha);
    HashBytes(token.content, &sha);
  }
  return sha.FinishHex();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Create(TokenizerParts parts) {
  std::sort(parts.added.begin(), parts.added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(parts)));
  TY_RETURN_IF_ERROR(tokenizer->Index());
  tokenizer->hash_ = ContentHash(tokenizer->parts_);
  return tokenizer;
}

absl::Status Tokenizer::Index() {
  for (const AddedToken& token : parts_.added) {
    if (token.content.empty() || token.id < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("added token \"", token.content, "\" with id ", token.id,
                       ": the content must not be empty and the id not negative"));
    }
    if (token.id >= vocabulary_size()) parts_.token_bytes.resize(token.id + 1);
    if (!added_ids_.insert({token.content, token.id}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("added token \"", token.content, "\" is given twice"));
    }
  }
  TY_ASSIGN_OR_RETURN(pretokenizer_, MakePretokenizer(parts_.pattern));
  TY_RETURN_IF_ERROR(merges_.Build(parts_.token_bytes, parts_.merges, parts_.ignore_merges));
  special_.assign(parts_.token_bytes.size(), false);
  starts_added_.assign(256, false);
  for (const AddedToken& token : parts_.added) {
    special_[token.id] = token.special;
    starts_added_[static_cast<uint8_t>(token.content[0])] = true;
    parts_.token_bytes[token.id] = token.content;
  }
  added_by_length_ = parts_.added;
  std::stable_sort(
      added_by_length_.begin(), added_by_length_.end(),
      [](const AddedToken& a, const AddedToken& b) { return a.content.size() > b.content.size(); });
  return absl::OkStatus();
}

std::vector<TokenId> Tokenizer::Encode(absl::string_view text) const {
  std::vector<TokenId> ids;
  Append(text, AddedTokens::kAsText, nullptr, &ids);
  return ids;
}

std::vector<TokenId> Tokenizer::EncodeWithAdded(absl::string_view text) const {
  std::vector<TokenId> ids;
  Append(text, AddedTokens::kParse, nullptr, &ids);
  return ids;
}

void Tokenizer::Append(absl::string_view text, AddedTokens added, PieceCache* cache,
                       std::vector<TokenId>* ids) const {
  if (added == AddedTokens::kAsText || added_by_length_.empty()) {
    AppendText(text, cache, ids);
    return;
  }
  size_t text_begin = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token =
        starts_added_[static_cast<uint8_t>(text[at])] ? AddedAt(text.substr(at)) : nullptr;
    if (token == nullptr) {
      ++at;
      continue;
    }
    AppendText(text.substr(text_begin, at - text_begin), cache, ids);
    ids->push_back(token->id);
    at += token->content.size();
    text_begin = at;
  }
  AppendText(text.substr(text_begin), cache, ids);
}

const AddedToken* Tokenizer::AddedAt(absl::string_view text) const {
  for (const AddedToken& token : added_by_length_) {
    if (text.substr(0, token.content.size()) == token.content) return &token;
  }
  return nullptr;
}

void Tokenizer::AppendText(absl::string_view text, PieceCache* cache,
                           std::vector<TokenId>* ids) const {
  if (text.empty()) return;
  std::string with_space;
  if (parts_.add_prefix_space && text[0] != ' ') {
    with_space = absl::StrCat(" ", text);
    text = with_space;
  }
  std::vector<absl::string_view> pieces;
  pretokenizer_->Split(text, &pieces);
  for (const absl::string_view piece : pieces) {
    if (cache != nullptr && cache->Append(piece, ids)) continue;
    const size_t first = ids->size();
    merges_.Encode(piece, ids);
    if (cache != nullptr) {
      cache->Insert(piece, absl::MakeConstSpan(*ids).subspan(first));
    }
  }
}

std::string Tokenizer::Decode(absl::Span<const TokenId> ids, SpecialTokens specials) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (specials == SpecialTokens::kSkip && IsSpecial(id)) continue;
    const absl::string_view token = TokenBytes(id);
    bytes.append(token.data(), token.size());
  }
  return bytes;
}

absl::string_view Tokenizer::TokenBytes(TokenId id) const {
  if (id < 0 || id >= vocabulary_size()) return "";
  return parts_.token_bytes[id];
}

bool Tokenizer::IsSpecial(TokenId id) const {
  return id >= 0 && id < vocabulary_size() && special_[id];
}

std::optional<TokenId> Tokenizer::AddedId(absl::string_view content) const {
  const auto found = added_ids_.find(content);
  if (found == added_ids_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<TokenId> Tokenizer::RequireAddedId(absl::string_view content) const {
  if (const std::optional<TokenId> id = AddedId(content)) return *id;
  const auto append_content = [](std::string* out, const AddedToken& token) {
    absl::StrAppend(out, "\"", token.content, "\"");
  };
  return absl::InvalidArgumentError(
      absl::StrCat("the tokenizer has no special token \"", content,
                   "\"; it has: ", absl::StrJoin(parts_.added, ", ", append_content)));
}

}  // namespace trainyard::tokenizer
