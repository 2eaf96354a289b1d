#include "tokenizer/post_processor.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tokenizer/component.h"

namespace trainyard::tokenizer {
namespace {

constexpr char kSupported[] = "TemplateProcessing, ByteLevel and Sequence";

absl::StatusOr<std::vector<TokenId>> SpecialIds(const Json& specials, absl::string_view name,
                                                absl::string_view document) {
  const auto missing = [&] {
    return absl::InvalidArgumentError(absl::StrCat(
        document, ": special_tokens of TemplateProcessing gives no ids for \"", name, "\""));
  };
  const auto found = specials.find(std::string(name));
  if (found == specials.end() || !found->is_object()) return missing();
  const auto ids = found->find("ids");
  if (ids == found->end() || !ids->is_array()) return missing();
  std::vector<TokenId> result;
  for (const Json& id : *ids) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX) {
      return missing();
    }
    result.push_back(id.get<TokenId>());
  }
  return result;
}

}  // namespace

absl::Status PostProcessor::ReadTemplate(const Json& json, absl::string_view document) {
  if (!parts_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(document, ": a second TemplateProcessing is not supported"));
  }
  const JsonReader reader(json, document);
  TY_RETURN_IF_ERROR(reader.OnlyFields({"type", "single", "pair", "special_tokens"}));
  TY_ASSIGN_OR_RETURN(const Json* single, reader.Array("single"));
  TY_ASSIGN_OR_RETURN(const Json* specials, reader.Object("special_tokens"));
  for (const Json& piece : *single) {
    const bool is_text = piece.is_object() && piece.contains("Sequence");
    if (!is_text && !(piece.is_object() && piece.contains("SpecialToken"))) {
      return absl::InvalidArgumentError(
          absl::StrCat(document, ": a piece of a template must be a Sequence or a SpecialToken"));
    }
    const Json& named = piece[is_text ? "Sequence" : "SpecialToken"];
    if (!named.is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(document, ": a template's piece has no id"));
    }
    TY_ASSIGN_OR_RETURN(const std::string id, JsonReader(named, document).String("id"));
    if (is_text && id != "A") {
      return absl::InvalidArgumentError(absl::StrCat(
          document, ": sequence \"", id, "\" in the template for single texts; there is only A"));
    }
    Part part{is_text, {}};
    if (!is_text) {
      TY_ASSIGN_OR_RETURN(part.ids, SpecialIds(*specials, id, document));
    }
    parts_.push_back(std::move(part));
  }
  return absl::OkStatus();
}

absl::Status PostProcessor::Read(const Json& json, absl::string_view document) {
  TY_ASSIGN_OR_RETURN(const std::string type, ComponentType(json, document));
  if (type == "TemplateProcessing") return ReadTemplate(json, document);
  if (type == "ByteLevel") {
    return JsonReader(json, document)
        .OnlyFields({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  }
  if (type != "Sequence") return UnsupportedType(document, type, kSupported);
  TY_ASSIGN_OR_RETURN(const Json* elements, ReadSequence(json, "processors", document));
  for (const Json& element : *elements) TY_RETURN_IF_ERROR(Read(element, document));
  return absl::OkStatus();
}

absl::StatusOr<PostProcessor> PostProcessor::Make(const Json& json, absl::string_view document) {
  PostProcessor processor;
  if (!json.is_null()) TY_RETURN_IF_ERROR(processor.Read(json, document));
  return processor;
}

std::vector<TokenId> PostProcessor::Apply(absl::Span<const TokenId> ids) const {
  if (parts_.empty()) return std::vector<TokenId>(ids.begin(), ids.end());
  std::vector<TokenId> result;
  for (const Part& part : parts_) {
    const absl::Span<const TokenId> from = part.is_text ? ids : absl::MakeConstSpan(part.ids);
    result.insert(result.end(), from.begin(), from.end());
  }
  return result;
}

}  // namespace trainyard::tokenizer
