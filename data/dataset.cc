#include "data/dataset.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/random.h"
#include "base/status.h"

namespace trainyard::data {
namespace {

using tokenizer::ChatMessage;
using tokenizer::RenderedChat;

constexpr int64_t kMaxGroupAnswers = 9;

// Turns the rows of one source into samples.
class SourceLoader {
 public:
  SourceLoader(const DatasetSpec& spec, const SourceSpec& source, const DatasetContext& context)
      : spec_(spec),
        source_(source),
        context_(context),
        instruction_key_(DeriveKey(spec.seed, absl::StrCat("instruction:", source.name))) {
    report_.name = source.name;
  }

  absl::Status Load() {
    if (spec_.objective == Objective::kPretrain) {
      tokenizer::BatchEncoder encoder(*context_.tokenizer, context_.threads);
      TY_ASSIGN_OR_RETURN(report_.counts,
                          ReadDocuments(source_, &encoder, [&](absl::Span<const int32_t> ids) {
                            AddSample(ids, {});
                            return absl::OkStatus();
                          }));
      return absl::OkStatus();
    }
    TY_ASSIGN_OR_RETURN(report_.counts,
                        ReadRows(source_, [&](const Row& row) { return Visit(row); }));
    return absl::OkStatus();
  }

  bool learns_end() const { return learns_end_; }
  const SourceReport& report() const { return report_; }
  std::unique_ptr<MemorySamples> TakeSamples() { return std::move(samples_); }
  std::vector<FixedGroup> TakeFixedGroups() { return std::move(fixed_groups_); }
  std::vector<RatedPool> TakePools() {
    std::vector<RatedPool> pools;
    for (auto& [name, pool] : pools_) pools.push_back(std::move(pool));
    return pools;
  }

 private:
  absl::Status Visit(const Row& row) {
    const uint64_t index = row_index_++;
    if (spec_.objective == Objective::kSft) return VisitConversation(row, index);
    return row.answers.empty() ? VisitRated(row, index) : VisitRanked(row, index);
  }

  absl::Status VisitConversation(const Row& row, uint64_t index) {
    TY_ASSIGN_OR_RETURN(std::vector<ChatMessage> messages, PromptMessages(row, index));
    if (row.response.has_value()) {
      messages.push_back({"assistant", *row.response, true});
    } else if (messages.empty() || messages.back().role != "assistant") {
      return MissingField(row, "response");
    }
    return AddConversation(messages).status();
  }

  absl::Status VisitRated(const Row& row, uint64_t index) {
    if (!row.response.has_value()) return MissingField(row, "answers\" or \"response");
    if (!row.score.has_value()) return MissingField(row, "score");
    TY_ASSIGN_OR_RETURN(std::vector<ChatMessage> messages, PromptMessages(row, index));
    messages.push_back({"assistant", *row.response, true});
    TY_ASSIGN_OR_RETURN(const int64_t sample, AddConversation(messages));
    if (sample < 0) return absl::OkStatus();
    RatedPool& pool = pools_[row.group];
    pool.name = row.group;
    pool.samples.push_back(sample);
    pool.scores.push_back(static_cast<float>(*row.score));
    return absl::OkStatus();
  }

  absl::Status VisitRanked(const Row& row, uint64_t index) {
    const int64_t answers = static_cast<int64_t>(row.answers.size());
    if (answers < 2 || answers > kMaxGroupAnswers) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"answers\" has ", answers, " entries, must be 2 .. ", kMaxGroupAnswers));
    }
    TY_ASSIGN_OR_RETURN(std::vector<ChatMessage> messages, PromptMessages(row, index));
    messages.push_back({"assistant", "", true});
    FixedGroup group;
    for (const RankedAnswer& answer : row.answers) {
      if (!answer.score.has_value()) {
        return absl::InvalidArgumentError("field \"answers[].score\" is missing");
      }
      messages.back().content = answer.text;
      TY_ASSIGN_OR_RETURN(const int64_t sample, AddConversation(messages));
      if (sample < 0) continue;
      group.samples.push_back(sample);
      group.scores.push_back(static_cast<float>(*answer.score));
    }
    if (group.samples.size() >= 2) fixed_groups_.push_back(std::move(group));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<ChatMessage>> PromptMessages(const Row& row, uint64_t index) {
    if (row.messages.empty()) return MissingField(row, "messages\" or \"prompt");
    std::vector<ChatMessage> messages = row.messages;
    if (row.fields.contains("prompt") && !row.fields.contains("messages")) {
      TY_ASSIGN_OR_RETURN(
          messages.back().content,
          ApplyInstruction(row, source_.instruction_templates, instruction_key_, index));
    }
    return messages;
  }

  // The sample's number, or -1 when it was dropped. What follows the last trained token (the line
  // end after an end of turn) is cut off: nothing is learnt from it, and a reward is read before
  // it.
  absl::StatusOr<int64_t> AddConversation(const std::vector<ChatMessage>& messages) {
    TY_ASSIGN_OR_RETURN(RenderedChat chat, context_.chat_template->Render(messages));
    while (!chat.ids.empty() && (chat.flags.back() & tokenizer::kTrained) == 0) {
      chat.ids.pop_back();
      chat.flags.pop_back();
    }
    if (chat.ids.empty()) {
      return absl::InvalidArgumentError("no message of the assistant is to be trained on");
    }
    int64_t trained = 0;
    for (size_t i = 0; i < chat.ids.size(); ++i) {
      if ((chat.flags[i] & tokenizer::kTrained) == 0) continue;
      ++trained;
      learns_end_ = learns_end_ || chat.ids[i] == context_.chat_template->end_of_turn();
    }
    const int64_t tokens = static_cast<int64_t>(chat.ids.size());
    const bool long_answer = spec_.max_answer_tokens > 0 && trained > spec_.max_answer_tokens;
    if (tokens <= spec_.max_tokens && !long_answer) {
      AddSample(chat.ids, chat.flags);
      return samples_->count() - 1;
    }
    if (spec_.too_long == TooLong::kRefuse) {
      return absl::InvalidArgumentError(
          absl::StrCat("the sample has ", tokens, " tokens, ", trained,
                       " of them of the answer; the limits are ", spec_.max_tokens, " and ",
                       spec_.max_answer_tokens, " (0: none)"));
    }
    ++report_.dropped_too_long;
    return -1;
  }

  void AddSample(absl::Span<const int32_t> ids, absl::Span<const uint8_t> flags) {
    samples_->Add(ids, flags);
    ++report_.samples;
    report_.tokens += static_cast<int64_t>(ids.size());
    report_.trained_tokens += samples_->TrainedTokens(samples_->count() - 1);
  }

  const DatasetSpec& spec_;
  const SourceSpec& source_;
  const DatasetContext& context_;
  const uint64_t instruction_key_;
  uint64_t row_index_ = 0;
  std::unique_ptr<MemorySamples> samples_ = std::make_unique<MemorySamples>();
  std::vector<FixedGroup> fixed_groups_;
  std::map<std::string, RatedPool> pools_;  // by group: its order is the order of drawing
  bool learns_end_ = false;
  SourceReport report_;
};

absl::StatusOr<std::unique_ptr<SourceSamples>> OpenShards(const SourceSpec& source,
                                                          const DatasetContext& context,
                                                          SourceReport* report) {
  std::vector<std::unique_ptr<TokenShards>> directories;
  for (const std::string& path : source.paths) {
    TY_ASSIGN_OR_RETURN(
        std::unique_ptr<TokenShards> shards,
        TokenShards::Open(path, context.tokenizer->hash(), TokenShards::Verify::kChecksums));
    report->tokens += shards->token_count();
    directories.push_back(std::move(shards));
  }
  auto samples = std::make_unique<ShardSamples>(std::move(directories));
  report->samples = samples->count();
  report->trained_tokens = report->tokens;
  return samples;
}

absl::Status CheckSpec(const DatasetSpec& spec, const DatasetContext& context) {
  if (spec.sources.empty()) return absl::InvalidArgumentError("the data set names no source");
  if (spec.max_tokens < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_length is ", spec.max_tokens, " tokens, must be at least 2"));
  }
  if (spec.objective != Objective::kPretrain && context.chat_template == nullptr) {
    return absl::InvalidArgumentError("conversations need a chat template, and none is given");
  }
  std::map<std::string, int> names;
  for (const SourceSpec& source : spec.sources) {
    const SourceShare& share = source.share;
    const int set = (share.weight != 0) + (share.passes != 0) + (share.token_budget != 0);
    if (set > 1 || share.weight < 0 || share.passes < 0 || share.token_budget < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "source \"", source.name, "\": at most one of weight ", share.weight, ", passes ",
          share.passes, " and token_budget ", share.token_budget, " is set, and none is negative"));
    }
    if (set > 0 && spec.objective == Objective::kRewardModel) {
      return absl::InvalidArgumentError(
          absl::StrCat("source \"", source.name,
                       "\": reward models take every group once a pass; leave its share out"));
    }
    if (names[source.name]++ > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("two sources are called \"", source.name, "\""));
    }
  }
  return absl::OkStatus();
}

std::vector<int32_t> TextBytesOfIds(const tokenizer::Tokenizer& tokenizer) {
  std::vector<int32_t> bytes(tokenizer.vocabulary_size());
  for (int32_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
    bytes[id] = tokenizer.IsSpecial(id) ? 0 : static_cast<int32_t>(tokenizer.TokenBytes(id).size());
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Load(const DatasetSpec& spec,
                                                       const DatasetContext& context) {
  TY_RETURN_IF_ERROR(CheckSpec(spec, context));
  std::unique_ptr<Dataset> dataset(new Dataset());
  dataset->spec_ = spec;
  dataset->bytes_of_id_ = TextBytesOfIds(*context.tokenizer);
  if (!spec.document_end_token.empty()) {
    TY_ASSIGN_OR_RETURN(dataset->document_end_id_,
                        context.tokenizer->RequireAddedId(spec.document_end_token));
  }
  bool learns_end = false;
  for (const SourceSpec& source : spec.sources) {
    TY_ASSIGN_OR_RETURN(const bool source_learns_end, dataset->LoadSource(source, context));
    learns_end = learns_end || source_learns_end;
  }
  if (spec.objective == Objective::kSft && !learns_end) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no trained token of the data is the end of turn \"",
        context.chat_template->spec().end_of_turn,
        "\": the model would never learn to stop; check the chat template and the train flags"));
  }
  dataset->SetFingerprint(context);
  return dataset;
}

absl::StatusOr<bool> Dataset::LoadSource(const SourceSpec& source, const DatasetContext& context) {
  Source loaded;
  bool learns_end = false;
  if (source.format == SourceFormat::kTokenShards) {
    if (spec_.objective != Objective::kPretrain) {
      return absl::InvalidArgumentError(
          absl::StrCat("source \"", source.name,
                       "\": token shards hold documents, which only pretraining reads"));
    }
    SourceReport report;
    report.name = source.name;
    TY_ASSIGN_OR_RETURN(loaded.samples, OpenShards(source, context, &report));
    reports_.push_back(std::move(report));
  } else {
    SourceLoader loader(spec_, source, context);
    TY_RETURN_IF_ERROR(loader.Load());
    loaded.samples = loader.TakeSamples();
    loaded.fixed_groups = loader.TakeFixedGroups();
    loaded.pools = loader.TakePools();
    learns_end = loader.learns_end();
    reports_.push_back(loader.report());
  }
  const SourceReport& report = reports_.back();
  if (report.samples == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "source \"", source.name, "\" has no sample left: ", report.counts.rows, " rows, ",
        report.counts.bad_rows, " bad, ", report.dropped_too_long, " too long"));
  }
  sources_.push_back(std::move(loaded));
  return learns_end;
}

void Dataset::SetFingerprint(const DatasetContext& context) {
  std::string all =
      absl::StrCat("data 1;", static_cast<int>(spec_.objective), ";", spec_.max_tokens, ";",
                   document_end_id_, ";", context.tokenizer->hash(), ";");
  if (context.chat_template != nullptr) absl::StrAppend(&all, context.chat_template->hash(), ";");
  const auto append_scores = [&all](const std::vector<int64_t>& samples,
                                    const std::vector<float>& scores) {
    all += Xxh3Hex(samples.data(), samples.size() * sizeof(int64_t));
    all += Xxh3Hex(scores.data(), scores.size() * sizeof(float));
  };
  for (size_t i = 0; i < sources_.size(); ++i) {
    const SourceSpec& source = spec_.sources[i];
    absl::StrAppend(&all, source.name, ";", source.share.weight, ";", source.share.passes, ";",
                    source.share.token_budget, ";", sources_[i].samples->Fingerprint(), ";");
    for (const FixedGroup& group : sources_[i].fixed_groups) {
      append_scores(group.samples, group.scores);
    }
    for (const RatedPool& pool : sources_[i].pools) {
      absl::StrAppend(&all, pool.name, ";");
      append_scores(pool.samples, pool.scores);
    }
  }
  fingerprint_ = Xxh3Hex(all);
}

}  // namespace trainyard::data
