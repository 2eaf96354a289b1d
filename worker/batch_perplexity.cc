#include "worker/batch_perplexity.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "checkpoint/tensor_io.h"
#include "collective/local_group.h"
#include "data/batch_builder.h"
#include "data/dataset.h"
#include "model/weights.h"
#include "worker/objective_lm.h"
#include "worker/tokenizer_files.h"
#include "worker/validation.h"

namespace trainyard::worker {

absl::StatusOr<std::map<std::string, double>> MeasurePerplexity(const PerplexityJob& job) {
  TY_ASSIGN_OR_RETURN(const TokenizerFiles tokenizer,
                      OpenTokenizer(job.tokenizer.empty() ? job.model : job.tokenizer));
  if (tokenizer.end_token.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        tokenizer.directory, "/tokenizer_config.json names no eos_token to end documents with"));
  }
  model::LoadOptions load;
  load.dtype = checkpoint::ToScalarType(job.dtype);
  load.head = model::Head::kLm;
  TY_ASSIGN_OR_RETURN(const model::LoadedModel loaded, model::LoadModel(job.model, load));
  data::DatasetSpec spec;
  spec.objective = data::Objective::kPretrain;
  spec.sources = job.sources;
  spec.max_tokens = job.window > 0 ? job.window
                                   : static_cast<int32_t>(loaded.model.config.max_positions);
  spec.document_end_token = tokenizer.end_token;
  TY_ASSIGN_OR_RETURN(const auto dataset,
                      data::Dataset::Load(spec, {tokenizer.tokenizer.get(), nullptr}));
  data::BatchOptions options;
  options.micro_batch_tokens = job.micro_batch_tokens;
  TY_ASSIGN_OR_RETURN(const auto builder, data::BatchBuilder::Create(*dataset, options, {}));
  TY_ASSIGN_OR_RETURN(const std::vector<data::MicroBatch> micro_batches,
                      builder->ValidationMicroBatches());
  LmObjective objective(&loaded.model, /*z_loss=*/0);
  const auto group = collective::SingleRankGroup();
  Validation validation(&objective, &micro_batches, group.get());
  TY_ASSIGN_OR_RETURN(auto metrics, validation.Run([] {}));
  int64_t tokens = 0;
  for (const data::MicroBatch& micro_batch : micro_batches) tokens += micro_batch.units;
  metrics["tokens"] = static_cast<double>(tokens);
  return metrics;
}

}  // namespace trainyard::worker
