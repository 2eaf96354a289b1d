// Batch task: writes token shards. Output: artifact "tokens".

#ifndef TRAINYARD_WORKER_BATCH_TOKENIZE_H_
#define TRAINYARD_WORKER_BATCH_TOKENIZE_H_

#include "absl/status/status.h"
#include "task/session.h"
#include "worker/run_place.h"
#include "worker/train_job.h"

namespace trainyard::worker {

// Tokenizes all sources, writes the artifact and finishes the job. Errors of WriteTokenShards and
// of the tokenizer's reader.
absl::Status RunTokenizeJob(const TokenizeJob& job, const RunPlace& place,
                            task::TaskSession* session);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_BATCH_TOKENIZE_H_
