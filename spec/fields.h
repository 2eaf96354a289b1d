// Fields that the specs of several kinds of jobs share: data and text, from protobuf to plain
// structs. Inside of the *_spec.cc files only.

#ifndef TRAINYARD_SPEC_FIELDS_H_
#define TRAINYARD_SPEC_FIELDS_H_

#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/source.h"
#include "task/assignment.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"
#include "trainyard/v1/config.pb.h"

namespace trainyard::spec {

// proto3 numbers: 0 is "not given".
template <typename Number>
Number Or(Number given, std::type_identity_t<Number> otherwise) {
  return given == 0 ? otherwise : given;
}

// The rows of a file are the file; those of an artifact's directory its one .jsonl file (or
// .jsonl.gz, .jsonl.zst). NotFound when the directory has none or several.
absl::StatusOr<std::string> RowsFile(const std::string& path);

// What a source is called: its reference as given.
std::string NameOf(const v1::FileRef& file);

// A source of rows, without shares. `what` is the field in errors.
absl::StatusOr<data::SourceSpec> ParseRows(const v1::DataSource& source, absl::string_view what,
                                           const task::Assignment& assignment);

// A template that is not named "custom" has its name only, and an end of turn where the template
// has none of its own; "auto" and no name mean the one of the tokenizer's directory (see
// OwnChatTemplate). Of a custom one, the assistant's turn always closes with its end.
// InvalidArgument: an unknown name, a directory without a template, another end of turn than the
// template's, a role given twice.
absl::StatusOr<tokenizer::ChatTemplateSpec> ParseChatTemplate(
    const v1::ChatTemplate& wire, const std::string& tokenizer_directory);

// The id of a token given by its text. InvalidArgument: to this tokenizer it is not one token.
absl::StatusOr<int32_t> TokenOf(const tokenizer::Tokenizer& tokenizer, const std::string& text,
                                absl::string_view field);

// InvalidArgument names the field of `sampling` by which answers are drawn from another policy than
// a learner recomputes: it knows temperature, forbidden tokens and min_new_tokens.
absl::Status CheckRecomputable(const v1::SamplingSpec& sampling, absl::string_view field);

}  // namespace trainyard::spec

#endif  // TRAINYARD_SPEC_FIELDS_H_
