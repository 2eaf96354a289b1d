#include "worker/micro_batch_tensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace trainyard::worker {

at::Device DeviceOf(const model::Model& model) { return model.token_embedding_VD.device(); }

absl::StatusOr<model::PackedTokens> PackMicroBatch(const model::Model& model,
                                                   const data::MicroBatch& micro_batch) {
  const std::vector<int64_t> offsets(micro_batch.segment_offsets.begin(),
                                     micro_batch.segment_offsets.end());
  return model::PackTokens(model.config,
                           {micro_batch.token_ids_N, offsets, micro_batch.positions_N},
                           DeviceOf(model));
}

model::CrossEntropyTargets TargetsOf(const data::MicroBatch& micro_batch,
                                     const model::PackedTokens& packed) {
  const int64_t rows = packed.token_ids_N.size(0);
  at::Tensor targets_N = at::zeros({rows}, at::kLong);
  at::Tensor weights_N = at::zeros({rows}, at::kFloat);
  auto* targets = targets_N.data_ptr<int64_t>();
  auto* weights = weights_N.data_ptr<float>();
  for (int64_t row = 0; row < micro_batch.token_count(); ++row) {
    if (micro_batch.target_ids_N[row] == data::kNoTarget) continue;
    targets[row] = micro_batch.target_ids_N[row];
    weights[row] = micro_batch.loss_weights_N[row];
  }
  const at::Device device = packed.token_ids_N.device();
  return {targets_N.to(device), weights_N.to(device)};
}

at::Tensor LastRows(const model::PackedTokens& packed) {
  std::vector<int64_t> rows;
  for (size_t s = 1; s < packed.segment_offsets.size(); ++s) {
    rows.push_back(packed.segment_offsets[s] - 1);
  }
  return at::tensor(rows, at::kLong).to(packed.token_ids_N.device());
}

}  // namespace trainyard::worker
