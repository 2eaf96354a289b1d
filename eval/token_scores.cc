#include "eval/token_scores.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"

namespace trainyard::eval {
namespace {

constexpr int64_t kTokensPerRequest = 8192;
constexpr absl::Duration kTimeout = absl::Minutes(10);

}  // namespace

absl::StatusOr<std::vector<double>> TokenScorer::Score(const std::vector<ScoredSequence>& sequences,
                                                       const Sampling* sampling) {
  std::vector<double> sums;
  std::vector<ScoredSequence> request;
  int64_t tokens = 0;
  const auto send = [&]() -> absl::Status {
    if (request.empty()) return absl::OkStatus();
    TY_ASSIGN_OR_RETURN(const std::vector<double> scored,
                        client_->Score(request, sampling, kTimeout));
    sums.insert(sums.end(), scored.begin(), scored.end());
    request.clear();
    tokens = 0;
    on_progress_();
    return absl::OkStatus();
  };
  for (const ScoredSequence& sequence : sequences) {
    tokens += static_cast<int64_t>(sequence.token_ids.size());
    if (tokens > kTokensPerRequest) TY_RETURN_IF_ERROR(send());
    request.push_back(sequence);
  }
  TY_RETURN_IF_ERROR(send());
  return sums;
}

absl::StatusOr<std::vector<std::vector<double>>> TokenScorer::ScoreAnswers(
    const std::vector<AnsweredRow>& rows, const std::vector<const data::Prompt*>& prompts,
    const Sampling* sampling) {
  std::vector<ScoredSequence> sequences;
  for (size_t row = 0; row < rows.size(); ++row) {
    for (const Answer& answer : rows[row].answers) {
      ScoredSequence& sequence = sequences.emplace_back();
      sequence.token_ids = prompts[row]->token_ids;
      sequence.begin = static_cast<int32_t>(sequence.token_ids.size());
      sequence.token_ids.insert(sequence.token_ids.end(), answer.token_ids.begin(),
                                answer.token_ids.end());
    }
  }
  TY_ASSIGN_OR_RETURN(const std::vector<double> sums, Score(sequences, sampling));
  std::vector<std::vector<double>> by_row;
  size_t next = 0;
  for (const AnsweredRow& row : rows) {
    by_row.emplace_back(sums.begin() + next, sums.begin() + next + row.answers.size());
    next += row.answers.size();
  }
  return by_row;
}

absl::StatusOr<TextDocuments> ReadTextDocuments(const std::vector<data::SourceSpec>& sources,
                                                const tokenizer::Tokenizer& tokenizer) {
  TextDocuments documents;
  tokenizer::Encoder encoder(tokenizer);
  const auto visit = [&](const data::Row& row) -> absl::Status {
    if (!row.text.has_value()) return data::MissingField(row, "text");
    std::vector<int32_t> ids;
    encoder.Encode(*row.text, &ids);
    if (ids.empty()) return absl::InvalidArgumentError("field \"text\" is empty");
    documents.token_ids.push_back(std::move(ids));
    documents.size_bytes.push_back(static_cast<int64_t>(row.text->size()));
    return absl::OkStatus();
  };
  for (const data::SourceSpec& source : sources) {
    TY_RETURN_IF_ERROR(data::ReadRows(source, visit).status());
  }
  if (documents.token_ids.empty()) return absl::InvalidArgumentError("eval.text has no row");
  return documents;
}

std::vector<ScoredSequence> SequencesOf(const std::vector<int32_t>& token_ids,
                                        const ModelText& text) {
  std::vector<int32_t> ids;
  if (text.end_id.has_value()) ids.push_back(*text.end_id);
  ids.insert(ids.end(), token_ids.begin(), token_ids.end());
  std::vector<ScoredSequence> sequences;
  for (size_t begin = 0; begin + 1 < ids.size(); begin += text.context_tokens - 1) {
    const size_t end = std::min(begin + text.context_tokens, ids.size());
    sequences.push_back({{ids.begin() + begin, ids.begin() + end}, 1});
  }
  return sequences;
}

absl::StatusOr<TextMeasures> MeasureText(const TextDocuments& documents, const ModelText& text,
                                         TokenScorer* scorer) {
  std::vector<ScoredSequence> sequences;
  std::vector<size_t> document_of;
  for (size_t i = 0; i < documents.token_ids.size(); ++i) {
    for (ScoredSequence& sequence : SequencesOf(documents.token_ids[i], text)) {
      sequences.push_back(std::move(sequence));
      document_of.push_back(i);
    }
  }
  TY_ASSIGN_OR_RETURN(const std::vector<double> logprobs, scorer->Score(sequences, nullptr));
  TextMeasures measures;
  Measured& perplexity = measures.perplexity;
  perplexity.exponential = true;
  perplexity.numerators.assign(documents.token_ids.size(), 0);
  perplexity.denominators.assign(documents.token_ids.size(), 0);
  for (size_t i = 0; i < sequences.size(); ++i) {
    perplexity.numerators[document_of[i]] -= logprobs[i];
    perplexity.denominators[document_of[i]] +=
        static_cast<double>(sequences[i].token_ids.size() - 1);
  }
  Measured& bits = measures.bits_per_byte;
  for (size_t i = 0; i < documents.token_ids.size(); ++i) {
    bits.numerators.push_back(perplexity.numerators[i] / std::log(2.0));
    bits.denominators.push_back(static_cast<double>(documents.size_bytes[i]));
  }
  return measures;
}

}  // namespace trainyard::eval
