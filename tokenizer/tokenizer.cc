#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checksum.h"
#include "base/status.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kAddedName[] = "added token \"";

// Length before bytes, so that no two contents give the same stream.
void HashBytes(absl::string_view bytes, Sha256* sha) {
  sha->Update(absl::StrCat(bytes.size(), ":"));
  sha->Update(bytes);
}

std::string ContentHash(const TokenizerSpec& spec) {
  Sha256 sha;
  HashBytes("trainyard tokenizer 2", &sha);
  for (const Json* component :
       {&spec.normalizer, &spec.pretokenizer, &spec.post_processor, &spec.decoder}) {
    HashBytes(component->dump(), &sha);
  }
  HashBytes(spec.bpe.unk_token, &sha);
  HashBytes(absl::StrCat(spec.bpe.fuse_unk, spec.bpe.byte_fallback, spec.bpe.ignore_merges), &sha);
  for (const std::string& token : spec.tokens) HashBytes(token, &sha);
  HashBytes("merges", &sha);
  for (const auto& [left, right] : spec.merges) HashBytes(absl::StrCat(left, ",", right), &sha);
  HashBytes("added", &sha);
  for (const AddedToken& token : spec.added) {
    HashBytes(absl::StrCat(token.id, ",", token.special, token.single_word, token.lstrip,
                           token.rstrip, token.normalized),
              &sha);
    HashBytes(token.content, &sha);
  }
  return sha.FinishHex();
}

Json PretokenizerOf(const TokenizerParts& parts) {
  Json byte_level = {{"type", "ByteLevel"},
                     {"add_prefix_space", parts.add_prefix_space},
                     {"trim_offsets", true},
                     {"use_regex", true}};
  if (parts.pattern == kGpt2Pattern) return byte_level;
  byte_level["use_regex"] = false;
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", parts.pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level})}};
}

// Added tokens stand in the vocabulary with their own ids.
absl::StatusOr<TokenizerSpec> SpecOf(TokenizerParts parts) {
  TokenizerSpec spec;
  for (const std::string& bytes : parts.token_bytes) spec.tokens.push_back(BytesToAlphabet(bytes));
  absl::flat_hash_map<std::string, TokenId> seen;
  for (const AddedToken& token : parts.added) {
    if (token.content.empty() || token.id < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(kAddedName, token.content, "\" with id ", token.id,
                       ": the content must not be empty and the id not negative"));
    }
    if (!seen.insert({token.content, token.id}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(kAddedName, token.content, "\" is given twice"));
    }
    const size_t id = static_cast<size_t>(token.id);
    if (id >= spec.tokens.size()) spec.tokens.resize(id + 1);
    spec.tokens[id] = token.content;
  }
  spec.pretokenizer = PretokenizerOf(parts);
  spec.post_processor = spec.decoder = {{"type", "ByteLevel"},
                                        {"add_prefix_space", parts.add_prefix_space},
                                        {"trim_offsets", true},
                                        {"use_regex", true}};
  spec.merges = std::move(parts.merges);
  spec.added = std::move(parts.added);
  spec.bpe.ignore_merges = parts.ignore_merges;
  return spec;
}

size_t FirstCharacterBytes(absl::string_view text) {
  return std::min<size_t>(text.size(), static_cast<size_t>(Utf8Length(text[0])));
}

}  // namespace

struct Tokenizer::Target {
  AddedTokens specials;
  PieceCache* cache;
  std::vector<TokenId>* ids;
};

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Create(TokenizerParts parts) {
  TY_ASSIGN_OR_RETURN(TokenizerSpec spec, SpecOf(std::move(parts)));
  return Create(std::move(spec));
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Create(TokenizerSpec spec) {
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(spec)));
  TY_RETURN_IF_ERROR(tokenizer->Build());
  return tokenizer;
}

absl::Status Tokenizer::Build() {
  GiveIds();
  TY_ASSIGN_OR_RETURN(normalizer_, MakeNormalizer(spec_.normalizer, "normalizer"));
  TY_ASSIGN_OR_RETURN(pretokenizer_, MakePretokenizer(spec_.pretokenizer, "pre_tokenizer"));
  TY_ASSIGN_OR_RETURN(post_processor_, PostProcessor::Make(spec_.post_processor, "post_processor"));
  TY_ASSIGN_OR_RETURN(decoder_, Decoder::Make(spec_.decoder, "decoder"));
  spec_.bpe.raw_bytes = pretokenizer_.raw_bytes;
  TY_RETURN_IF_ERROR(model_.Build(spec_.tokens, spec_.merges, spec_.bpe));
  TY_ASSIGN_OR_RETURN(added_, AddedVocabulary::Build(spec_.added, normalizer_.get()));
  IndexTokens();
  hash_ = ContentHash(spec_);
  return absl::OkStatus();
}

// Of two added tokens with one content the later counts.
void Tokenizer::GiveIds() {
  absl::flat_hash_map<std::string, TokenId> known;
  TokenId next = 0;
  for (size_t id = 0; id < spec_.tokens.size(); ++id) {
    if (spec_.tokens[id].empty()) continue;
    known[spec_.tokens[id]] = static_cast<TokenId>(id);
    ++next;
  }
  absl::flat_hash_map<TokenId, AddedToken> by_id;
  for (AddedToken& token : spec_.added) {
    if (token.content.empty()) continue;
    const auto [found, is_new] = known.try_emplace(token.content, next);
    if (is_new) ++next;
    token.id = found->second;
    added_ids_[token.content] = token.id;
    by_id[token.id] = std::move(token);
  }
  spec_.added.clear();
  for (auto& [id, token] : by_id) spec_.added.push_back(std::move(token));
  std::sort(spec_.added.begin(), spec_.added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

void Tokenizer::IndexTokens() {
  size_t size = spec_.tokens.size();
  if (!spec_.added.empty()) {
    size = std::max(size, static_cast<size_t>(spec_.added.back().id) + 1);
  }
  token_bytes_.resize(size);
  special_.assign(size, false);
  for (size_t id = 0; id < size; ++id) {
    const std::string* text = TokenText(static_cast<TokenId>(id));
    if (text == nullptr) continue;
    token_bytes_[id] = decoder_.BytesOf(*text);
    special_[id] = added_.IsSpecialText(*text);
  }
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

std::vector<TokenId> Tokenizer::EncodeWithTemplate(absl::string_view text) const {
  return post_processor_.Apply(EncodeWithAdded(text));
}

void Tokenizer::Append(absl::string_view text, AddedTokens added, PieceCache* cache,
                       std::vector<TokenId>* ids) const {
  std::string valid;
  if (!IsValidUtf8(text)) {
    valid = ReplaceInvalidUtf8(text);
    text = valid;
  }
  const Target target{added, cache, ids};
  const AddedVocabulary::Search search{.normal = false, .specials = added};
  if (!added_.CanFind(search)) {
    AppendSection(text, true, target);
    return;
  }
  std::vector<Section> sections;
  added_.Find(text, search, &sections);
  for (const Section& section : sections) {
    if (section.id >= 0) {
      ids->push_back(section.id);
    } else {
      AppendSection(section.text, section.text.data() == text.data(), target);
    }
  }
}

// A text between two added tokens that are found as they are written. `is_first`: nothing of the
// input is before it.
void Tokenizer::AppendSection(absl::string_view text, bool is_first, const Target& target) const {
  if (text.empty()) return;
  NormalText normal;
  normal.first_bytes = is_first ? FirstCharacterBytes(text) : 0;
  if (normalizer_ != nullptr) {
    normal.text = std::string(text);
    normalizer_->Apply(&normal);
    text = normal.text;
  }
  const AddedVocabulary::Search search{.normal = true, .specials = target.specials};
  if (!added_.CanFind(search)) {
    AppendPieces({text, normal.first_bytes}, target);
    return;
  }
  std::vector<Section> sections;
  added_.Find(text, search, &sections);
  for (const Section& section : sections) {
    if (section.id >= 0) {
      target.ids->push_back(section.id);
      continue;
    }
    const size_t begin = static_cast<size_t>(section.text.data() - text.data());
    const size_t end = begin + section.text.size();
    AppendPieces({section.text, std::clamp(normal.first_bytes, begin, end) - begin}, target);
  }
}

void Tokenizer::AppendPieces(Piece piece, const Target& target) const {
  if (piece.text.empty()) return;
  Pieces pieces;
  pieces.list.push_back(piece);
  if (pretokenizer_.pretokenizer != nullptr) pretokenizer_.pretokenizer->Apply(&pieces);
  std::vector<absl::string_view> parts;
  for (const Piece& cut : pieces.list) {
    if (cut.text.size() <= PieceCache::kMaxPieceBytes) {
      AppendPiece(cut.text, target);
      continue;
    }
    parts.clear();
    model_.Cut(cut.text, &parts);
    for (const absl::string_view part : parts) AppendPiece(part, target);
  }
}

void Tokenizer::AppendPiece(absl::string_view piece, const Target& target) const {
  if (target.cache != nullptr && target.cache->Append(piece, target.ids)) return;
  const size_t first = target.ids->size();
  model_.Encode(piece, target.ids);
  if (target.cache != nullptr) {
    target.cache->Insert(piece, absl::MakeConstSpan(*target.ids).subspan(first));
  }
}

std::string Tokenizer::Decode(absl::Span<const TokenId> ids, SpecialTokens specials) const {
  const std::unique_ptr<DecodingText> decoding = decoder_.Start();
  std::string text;
  for (const TokenId id : ids) {
    if (specials == SpecialTokens::kSkip && IsSpecial(id)) continue;
    if (decoder_.concatenates()) {
      const absl::string_view bytes = TokenBytes(id);
      text.append(bytes.data(), bytes.size());
    } else if (const std::string* token = TokenText(id)) {
      text += decoding->Push(*token);
    }
  }
  if (decoder_.concatenates()) return ReplaceInvalidUtf8(text);
  return text + decoding->Finish();
}

absl::string_view Tokenizer::TokenBytes(TokenId id) const {
  if (id < 0 || id >= vocabulary_size()) return "";
  return token_bytes_[id];
}

const std::string* Tokenizer::TokenText(TokenId id) const {
  if (const std::string* added = added_.TextOf(id)) return added;
  if (id < 0 || static_cast<size_t>(id) >= spec_.tokens.size()) return nullptr;
  return spec_.tokens[id].empty() ? nullptr : &spec_.tokens[id];
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
                   "\"; it has: ", absl::StrJoin(spec_.added, ", ", append_content)));
}

}  // namespace trainyard::tokenizer
