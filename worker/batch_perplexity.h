// Batch task: perplexity and bits per byte of a language model on given text.

#ifndef TRAINYARD_WORKER_BATCH_PERPLEXITY_H_
#define TRAINYARD_WORKER_BATCH_PERPLEXITY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/safetensors.h"
#include "data/source.h"

namespace trainyard::worker {

struct PerplexityJob {
  std::string model;                      // directory
  std::string tokenizer;                  // directory; empty: the model's
  std::vector<data::SourceSpec> sources;  // {"text"} rows or text files
  int32_t window = 0;                     // tokens of a window; 0: the model's context
  int64_t micro_batch_tokens = 8192;
  checkpoint::DType dtype = checkpoint::DType::kF32;
};

// "loss" (nats per token), "perplexity", "bits_per_byte" and "tokens" of all text: documents with
// their end tokens, concatenated and cut into windows, as in pretraining. Errors of the readers;
// InvalidArgument when the tokenizer names no end token.
absl::StatusOr<std::map<std::string, double>> MeasurePerplexity(const PerplexityJob& job);

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_BATCH_PERPLEXITY_H_
