// Computes the decoder: token ids, positions and block tables in, logits out. Plain spans, no
// tensors, so that other kernels can stand behind the same interface.
//
// Shapes: R rows (tokens of any sequences), D width, F feed-forward width, V vocabulary, H heads,
// K key-value heads, E head width.
//
// A row's bits depend on its own sequence's tokens up to it and on the weights alone: not on R, not
// on the other rows, not on how the sequence was cut into chunks. CheckRowIndependence
// (row_independence.h) proves it on the model's own shapes before anything is served.

#ifndef TRAINYARD_ROLLOUT_RUNNER_H_
#define TRAINYARD_ROLLOUT_RUNNER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "kernels/bf16.h"
#include "kernels/fp32.h"
#include "kernels/packed_matrix.h"
#include "kernels/thread_pool.h"
#include "rollout/block_pool.h"
#include "rollout/packed_model.h"

namespace trainyard::rollout {

// What computes. The bits depend on it.
struct KernelChoice {
  const kernels::Fp32Kernels& fp32 = kernels::BestFp32Kernels();
  const kernels::Bf16Kernels& bf16 = kernels::BestBf16Kernels();  // of models with bf16 products
};
// "avx512", or "avx512+amx-bf16" where products are in bf16.
std::string KernelsName(const KernelChoice& kernels, kernels::WeightType products);

// The rows of one run. A sequence's rows come in order of position and all tokens before its first
// row are in the cache.
struct RunRows {
  absl::Span<const int32_t> token_ids_R;
  absl::Span<const int32_t> positions_R;
  absl::Span<const int32_t> sequences_R;  // index in block_tables
  absl::Span<const BlockTable* const> block_tables;
};

// Floats that one block of the cache takes for all layers of a model.
int64_t BlockFloats(const model::ModelConfig& config);

// Owns the memory of the cache and of activations. Owned by one thread; the pool and the kernels
// must outlive it. Every model given to it must have the shape of `config`.
class Runner {
 public:
  Runner(const model::ModelConfig& config, int blocks, const KernelChoice& kernels,
         kernels::ThreadPool& pool);

  // Computes the rows and writes their keys and values into the cache.
  void Run(const PackedModel& model, const RunRows& rows);

  // logits_MV of the last run's rows `rows_M`.
  void Logits(const PackedModel& model, absl::Span<const int32_t> rows_M, float* logits_MV);

  // Copies all layers of one block.
  void CopyBlock(const BlockCopy& copy);

 private:
  struct HeadCache {
    float* keys = nullptr;    // [E][16] of block 0
    float* values = nullptr;  // [16][value_stride_] of block 0
  };

  void MakeRopeTables();
  HeadCache CacheOf(int64_t layer, int64_t kv_head) const;
  void Embed(const PackedModel& model, const RunRows& rows);
  void Normalise(const PackedNorm& norm, const float* x_RD, float* out_RD, int rows);
  void PrepareHeads(const PackedLayer& layer, int64_t index, const RunRows& rows);
  void RotateAndNormalise(const std::vector<float>& norm, int position, float* head_E) const;
  void StoreKeyValue(int64_t layer, const RunRows& rows, int row);
  void Attend(int64_t layer, const RunRows& rows);
  void Mlp(const PackedLayer& layer, int rows);
  template <typename Body>
  void ForRows(int rows, const Body& body);
  void Multiply(const float* a, const PackedLinear& linear, int rows, float* out, bool accumulate);

  const model::ModelConfig config_;
  const kernels::Fp32Kernels& kernels_;
  kernels::ProductKernels product_kernels_;
  kernels::ThreadPool& pool_;
  const int64_t value_stride_;  // E rounded up to 16
  const int64_t head_floats_;   // keys and values of one head in one block
  const int64_t block_floats_;
  std::unique_ptr<float[]> cache_;
  std::vector<float> cos_PE_, sin_PE_;  // Llama: [position][E / 2]
  std::vector<float> hidden_RD_, normed_RD_, qkv_, attended_, up_, chosen_MD_;
  std::vector<std::vector<float>> scores_;  // scratch per thread
};

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_RUNNER_H_
