// What one model thinks of given tokens: for perplexity, KL and text measures.

#ifndef TRAINYARD_EVAL_TOKEN_SCORES_H_
#define TRAINYARD_EVAL_TOKEN_SCORES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "data/source.h"
#include "eval/measure.h"
#include "eval/prompts.h"
#include "eval/rollout_client.h"

namespace trainyard::eval {

// Calls `on_progress` between requests.
class TokenScorer {
 public:
  // All must outlive it.
  TokenScorer(RolloutClient* client, std::function<void()> on_progress)
      : client_(client), on_progress_(std::move(on_progress)) {}

  // The log-prob of each sequence's tail, in requests of bounded size; `sampling` as in
  // RolloutClient::Score.
  absl::StatusOr<std::vector<double>> Score(const std::vector<ScoredSequence>& sequences,
                                            const Sampling* sampling);

  // The log-prob of every answer, by row and sample.
  absl::StatusOr<std::vector<std::vector<double>>> ScoreAnswers(
      const std::vector<AnsweredRow>& rows, const std::vector<const data::Prompt*>& prompts,
      const Sampling* sampling);

 private:
  RolloutClient* const client_;
  const std::function<void()> on_progress_;
};

// Documents for perplexity: their tokens, and what they stand for.
struct TextDocuments {
  std::vector<std::vector<int32_t>> token_ids;
  std::vector<int64_t> size_bytes;
};

// Reads {"text"} rows and text files. Errors of data::ReadRows; InvalidArgument when there is none.
absl::StatusOr<TextDocuments> ReadTextDocuments(const std::vector<data::SourceSpec>& sources,
                                                const tokenizer::Tokenizer& tokenizer);

// Cuts a document into sequences that fit the model's context. Each begins with the token before
// it, the document's first with the end token, so that every token is predicted once; without an
// end token the first token is not.
std::vector<ScoredSequence> SequencesOf(const std::vector<int32_t>& token_ids,
                                        const ModelText& text);

// Perplexity and bits per byte of one model, with a part per document.
struct TextMeasures {
  Measured perplexity;     // a token
  Measured bits_per_byte;  // of the text
};
absl::StatusOr<TextMeasures> MeasureText(const TextDocuments& documents, const ModelText& text,
                                         TokenScorer* scorer);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_TOKEN_SCORES_H_
