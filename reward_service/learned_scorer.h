// A learned reward model as a scorer.

#ifndef TRAINYARD_REWARD_SERVICE_LEARNED_SCORER_H_
#define TRAINYARD_REWARD_SERVICE_LEARNED_SCORER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "reward_service/scorer.h"

namespace trainyard::reward_service {

struct LearnedScorerOptions {
  std::string directory;         // of the reward model
  bool normalize = true;         // (raw - mean) / deviation as stored with the model
  std::string tokenizer_sha256;  // that the tokens were made with; empty: not checked
  int batch_tokens = 4096;       // rows of one forward pass
};

// What the model says of itself.
struct LearnedScorerCard {
  std::string tokenizer_sha256;
  std::string manifest_sha256;  // of its training
  std::string weights_xxh3;     // of its file: names the weights where no manifest does
  double mean = 0;
  double deviation = 1;
};

struct LearnedScorer {
  std::unique_ptr<Scorer> scorer;
  LearnedScorerCard card;
};

// Loads the model, in fp32. The score is read at the answer's last token (its end token when it has
// one). FailedPrecondition when the model was trained with another tokenizer, or when it is to be
// normalised and stores no normalisation; otherwise the errors of model::LoadModel.
//
// Items are cut into batches by length, packed without padding: an item's score has the same bits
// in any company.
absl::StatusOr<LearnedScorer> MakeLearnedScorer(const LearnedScorerOptions& options);

}  // namespace trainyard::reward_service

#endif  // TRAINYARD_REWARD_SERVICE_LEARNED_SCORER_H_
