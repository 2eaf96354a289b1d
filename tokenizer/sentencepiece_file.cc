#include "tokenizer/sentencepiece_file.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/utf8.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kSpace[] = "\xE2\x96\x81";  // U+2581

// The values of sentencepiece_model.proto.
enum PieceType : uint64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
constexpr uint64_t kBpe = 2;

struct ModelPiece {
  std::string text;
  float score = 0;
  uint64_t type = kNormal;
};

struct Model {
  std::vector<ModelPiece> pieces;
  uint64_t model_type = 1;  // unigram
  bool space_is_suffix = false;
  int64_t bos_id = 1;
  std::string charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
};

// Reads the fields of one protocol buffer message.
class WireReader {
 public:
  explicit WireReader(absl::string_view bytes) : rest_(bytes) {}

  // Goes to the next field; false at the end, and where the message is broken.
  bool Next() {
    uint64_t tag = 0;
    if (rest_.empty()) return false;
    broken_ = !Varint(&tag);
    field_ = tag >> 3;
    switch (tag & 7) {
      case 0:
        broken_ = broken_ || !Varint(&number_);
        break;
      case 1:
        broken_ = broken_ || !Take(8);
        break;
      case 2: {
        uint64_t size = 0;
        broken_ = broken_ || !Varint(&size) || !Take(size);
        break;
      }
      case 5:
        broken_ = broken_ || !Take(4);
        break;
      default:
        broken_ = true;
    }
    return !broken_;
  }

  bool broken() const { return broken_; }
  uint64_t field() const { return field_; }
  uint64_t number() const { return number_; }
  absl::string_view bytes() const { return bytes_; }
  float real() const {
    float value = 0;
    if (bytes_.size() == sizeof(value)) std::memcpy(&value, bytes_.data(), sizeof(value));
    return value;
  }

 private:
  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool Take(uint64_t size) {
    if (size > rest_.size()) return false;
    bytes_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  absl::string_view rest_, bytes_;
  uint64_t field_ = 0, number_ = 0;
  bool broken_ = false;
};

bool ReadPiece(absl::string_view bytes, ModelPiece* piece) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) piece->text = std::string(reader.bytes());
    if (reader.field() == 2) piece->score = reader.real();
    if (reader.field() == 3) piece->type = reader.number();
  }
  return !reader.broken() && !piece->text.empty() && IsValidUtf8(piece->text);
}

bool ReadTrainerSpec(absl::string_view bytes, Model* model) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 3) model->model_type = reader.number();
    if (reader.field() == 24) model->space_is_suffix = reader.number() != 0;
    if (reader.field() == 41) model->bos_id = static_cast<int64_t>(reader.number());
  }
  return !reader.broken();
}

bool ReadNormalizerSpec(absl::string_view bytes, Model* model) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 2) model->charsmap = std::string(reader.bytes());
    if (reader.field() == 3) model->add_dummy_prefix = reader.number() != 0;
    if (reader.field() == 4) model->remove_extra_whitespaces = reader.number() != 0;
    if (reader.field() == 5) model->escape_whitespaces = reader.number() != 0;
  }
  return !reader.broken();
}

absl::StatusOr<Model> ReadModel(absl::string_view bytes, absl::string_view document) {
  Model model;
  WireReader reader(bytes);
  bool whole = true;
  while (whole && reader.Next()) {
    if (reader.field() == 1) whole = ReadPiece(reader.bytes(), &model.pieces.emplace_back());
    if (reader.field() == 2) whole = ReadTrainerSpec(reader.bytes(), &model);
    if (reader.field() == 3) whole = ReadNormalizerSpec(reader.bytes(), &model);
  }
  if (!whole || reader.broken() || model.pieces.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ": not a SentencePiece model, or cut short"));
  }
  return model;
}

absl::Status CheckSupported(const Model& model, absl::string_view document) {
  const auto refuse = [&](absl::string_view what, absl::string_view supported) {
    return absl::InvalidArgumentError(absl::StrCat(document, ": a SentencePiece model with ", what,
                                                   " is not supported; ", supported, " is"));
  };
  if (model.model_type != kBpe) {
    return refuse(absl::StrCat("model_type ", model.model_type), "BPE (2)");
  }
  if (!model.charsmap.empty()) return refuse("a precompiled_charsmap", "the rule identity");
  if (model.remove_extra_whitespaces) return refuse("remove_extra_whitespaces", "false");
  if (!model.escape_whitespaces) return refuse("escape_whitespaces false", "true");
  if (model.space_is_suffix) return refuse("treat_whitespace_as_suffix", "false");
  for (const ModelPiece& piece : model.pieces) {
    if (piece.type == kUnused || piece.type < kNormal || piece.type > kByte) {
      return refuse(absl::StrCat("the piece \"", piece.text, "\" of type ", piece.type),
                    "normal, unknown, control, user-defined or byte");
    }
  }
  return absl::OkStatus();
}

size_t Characters(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<uint8_t>(byte) & 0xC0) != 0x80;
  }));
}

// Each way to put a normal piece together of two others, by falling score; then, as Hugging Face
// has it, by falling length of the left and right side.
BpeModel::Merges MergesOf(const Model& model) {
  absl::flat_hash_map<absl::string_view, TokenId> ids;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type == kNormal) ids[model.pieces[id].text] = static_cast<TokenId>(id);
  }
  struct Merge {
    float score;
    size_t left_length, right_length;
    TokenId left, right;
  };
  std::vector<Merge> merges;
  for (const ModelPiece& piece : model.pieces) {
    if (piece.type != kNormal) continue;
    const size_t first = merges.size();
    const absl::string_view text = piece.text;
    for (size_t at = Utf8Length(text[0]); at < text.size(); at += Utf8Length(text[at])) {
      const auto left = ids.find(text.substr(0, at)), right = ids.find(text.substr(at));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back({piece.score, Characters(text.substr(0, at)), Characters(text.substr(at)),
                        left->second, right->second});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
              [](const Merge& a, const Merge& b) {
                return std::tie(a.left, a.right) < std::tie(b.left, b.right);
              });
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tie(a.score, a.left_length, a.right_length) >
           std::tie(b.score, b.left_length, b.right_length);
  });
  BpeModel::Merges result;
  for (const Merge& merge : merges) result.push_back({merge.left, merge.right});
  return result;
}

void SetComponents(const Model& model, TokenizerSpec* spec) {
  const Json escape = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}};
  const Json prepend = {{"type", "Prepend"}, {"prepend", kSpace}};
  const Json unescape = {{"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}};
  Json decoders = Json::array({unescape, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
  spec->normalizer = escape;
  if (model.add_dummy_prefix) {
    spec->normalizer = {{"type", "Sequence"}, {"normalizers", Json::array({prepend, escape})}};
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  spec->decoder = {{"type", "Sequence"}, {"decoders", decoders}};
  const size_t bos = static_cast<size_t>(model.bos_id);
  if (model.bos_id < 0 || bos >= model.pieces.size() || model.pieces[bos].type != kControl) return;
  const std::string& text = model.pieces[bos].text;
  const Json begin = {{"SpecialToken", {{"id", text}, {"type_id", 0}}}};
  const Json first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  const Json named = {{"id", text}, {"ids", Json::array({bos})}, {"tokens", Json::array({text})}};
  spec->post_processor = {{"type", "TemplateProcessing"},
                          {"single", Json::array({begin, first})},
                          {"pair", Json::array({begin, first, begin, second})},
                          {"special_tokens", {{text, named}}}};
}

}  // namespace

absl::StatusOr<TokenizerSpec> ParseSentencePieceModel(absl::string_view bytes,
                                                      absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const Model model, ReadModel(bytes, document));
  TY_RETURN_IF_ERROR(CheckSupported(model, document));
  TokenizerSpec spec;
  for (const ModelPiece& piece : model.pieces) {
    const TokenId id = static_cast<TokenId>(spec.tokens.size());
    spec.tokens.push_back(piece.text);
    if (piece.type == kByte) spec.bpe.byte_fallback = true;
    if (piece.type == kUnknown) spec.bpe.unk_token = piece.text;
    if (piece.type == kUnknown || piece.type == kControl || piece.type == kUserDefined) {
      spec.added.push_back({id, piece.text, piece.type != kUserDefined});
    }
  }
  spec.bpe.fuse_unk = true;
  spec.merges = MergesOf(model);
  SetComponents(model, &spec);
  return spec;
}

}  // namespace trainyard::tokenizer
