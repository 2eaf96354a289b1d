#include "eval/prompts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/chat_files.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::eval {
namespace {

// Of a token that may have none.
std::optional<int32_t> IdOf(const std::string& token, const tokenizer::Tokenizer& tokenizer) {
  return token.empty() ? std::nullopt : tokenizer.AddedId(token);
}

absl::StatusOr<int32_t> ContextTokens(const std::string& directory) {
  const std::string path = directory + "/config.json";
  TY_ASSIGN_OR_RETURN(const Json config, ReadJsonFile(path));
  JsonReader reader(config, path);
  for (const char* field : {"max_position_embeddings", "n_positions"}) {
    if (!reader.Has(field)) continue;
    TY_ASSIGN_OR_RETURN(const int64_t tokens, reader.Int(field));
    return static_cast<int32_t>(tokens);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(path, " says neither max_position_embeddings nor n_positions"));
}

}  // namespace

absl::StatusOr<ModelText> LoadModelText(const std::string& tokenizer_directory,
                                        const std::string& model_directory) {
  ModelText text;
  TY_ASSIGN_OR_RETURN(tokenizer::TokenizerInDirectory found,
                      tokenizer::LoadTokenizerOf(tokenizer_directory));
  text.tokenizer = std::move(found.tokenizer);
  TY_ASSIGN_OR_RETURN(text.tokenizer_sha256, FileSha256Hex(found.path));
  TY_ASSIGN_OR_RETURN(const tokenizer::ChatTokens tokens,
                      tokenizer::ReadChatTokens(tokenizer_directory));
  text.end_id = IdOf(tokens.end, *text.tokenizer);
  text.first_id = IdOf(tokens.begin, *text.tokenizer);
  if (!text.first_id.has_value()) text.first_id = text.end_id;
  TY_ASSIGN_OR_RETURN(text.context_tokens, ContextTokens(model_directory));
  return text;
}

absl::StatusOr<PreparedPrompts> PreparePrompts(const PromptJob& job, const ModelText& text) {
  PreparedPrompts prepared;
  std::optional<int32_t> end_of_turn = text.end_id;
  if (job.chat_template.has_value()) {
    TY_ASSIGN_OR_RETURN(tokenizer::ChatTemplate bound,
                        tokenizer::ChatTemplate::Bind(*job.chat_template, *text.tokenizer));
    prepared.chat_template = std::make_unique<tokenizer::ChatTemplate>(std::move(bound));
    end_of_turn = prepared.chat_template->end_of_turn();
  }
  TY_ASSIGN_OR_RETURN(prepared.sampling, BindSampling(job.sampling, end_of_turn, *text.tokenizer));
  if (job.sampling.max_new_tokens >= text.context_tokens) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sampling.max_new_tokens is ", job.sampling.max_new_tokens, ", the model's context ",
        text.context_tokens, " tokens: no room is left for a prompt"));
  }
  data::PromptSpec spec;
  spec.sources = job.sources;
  spec.seed = job.shuffle_seed;
  spec.shuffle = job.limit > 0;
  spec.max_tokens = text.context_tokens - job.sampling.max_new_tokens;
  spec.too_long = data::TooLong::kRefuse;
  TY_ASSIGN_OR_RETURN(prepared.source, data::PromptSource::Load(spec, *text.tokenizer,
                                                                prepared.chat_template.get()));
  const int64_t count = prepared.source->count();
  const int64_t wanted = job.limit > 0 ? std::min(job.limit, count) : count;
  for (int64_t i = 0; i < wanted; ++i) prepared.prompts.push_back(&prepared.source->At(i));
  return prepared;
}

}  // namespace trainyard::eval
