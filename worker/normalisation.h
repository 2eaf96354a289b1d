// Mean and deviation of a reward model's scores on a reference set, fitted after training and
// stored with the model, so that PPO sees rewards on a known scale.

#ifndef TRAINYARD_WORKER_NORMALISATION_H_
#define TRAINYARD_WORKER_NORMALISATION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "collective/group.h"
#include "data/source.h"
#include "data/train_batch.h"
#include "model/transformer.h"
#include "model/weights.h"
#include "tokenizer/chat_template.h"

namespace trainyard::worker {

// Answers as rows that a reward model scores, each a segment; no targets.
struct ReferenceOptions {
  bool finished_only = true;     // leave out answers that did not end by themselves
  int64_t max_tokens = 0;        // longer ones are left out
  int64_t micro_batch_tokens = 16384;
};

// Every answer of the source's rows ({"answers": [{"text", "finish_reason"}]} as the generate job
// writes them, or {"response"}), rendered by the template. InvalidArgument: a row without answers;
// no answer left.
absl::StatusOr<std::vector<data::MicroBatch>> ReferenceMicroBatches(
    const data::SourceSpec& source, const tokenizer::ChatTemplate& chat_template,
    const ReferenceOptions& options);

// Scores the last token of every segment; each rank takes the micro-batches that are its turn when
// `dealt` (all ranks hold the same), else all of its own. FailedPrecondition when the deviation is
// no more than rounding or there are fewer than 2 scores.
absl::StatusOr<model::ModelCard::Normalisation> FitNormalisation(
    const model::Model& model, const std::vector<data::MicroBatch>& micro_batches, bool dealt,
    collective::Group* group);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_NORMALISATION_H_
