// Batch task: trains a byte-level BPE tokenizer. Output: artifact "tokenizer".

#ifndef TRAINYARD_WORKER_BATCH_TOKENIZER_H_
#define TRAINYARD_WORKER_BATCH_TOKENIZER_H_

#include "absl/status/status.h"
#include "task/session.h"
#include "worker/run_place.h"
#include "worker/train_job.h"

namespace trainyard::worker {

// Reads all sources, trains, writes the artifact and finishes the job. InvalidArgument: a special
// token that end_of_text or pad names and that is not among special_tokens; errors of ReadRows and
// of the trainer. Cancelled when a stop was ordered.
absl::Status RunTokenizerJob(const TokenizerJob& job, const RunPlace& place,
                             task::TaskSession* session);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_BATCH_TOKENIZER_H_
