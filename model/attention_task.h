// Attention of one key-value head in one segment over plain memory: the inner part of
// model/attention.h. No threads of its own, no state.
//
// Shapes: L rows of the segment, H query heads, K key-value heads, E head width.

#ifndef TRAINYARD_MODEL_ATTENTION_TASK_H_
#define TRAINYARD_MODEL_ATTENTION_TASK_H_

#include <cstddef>
#include <cstdint>
#include <new>

#include "model/row_kernels.h"

namespace trainyard::model {

// Query rows that share one block of scores.
inline constexpr int64_t kQueryBlockRows = 64;

// T: double, float or Bf16. Rows of qkv hold H queries, K keys and K values of E numbers.
template <typename T>
struct AttentionPointers {
  int64_t heads = 0, kv_heads = 0, head_width = 0;
  int64_t window = 0;                  // rows that a query sees, its own included; 0: all before
  int64_t rows = 0;                    // N, with inert ones
  const T* qkv = nullptr;              // [N, (H + 2K) * E]
  const int64_t* positions = nullptr;  // [N]
  const float* cos = nullptr;          // [P, E / 2]; null: no RoPE
  const float* sin = nullptr;
  T* out = nullptr;                                 // [N, H * E]
  typename WideOf<T>::type* normalisers = nullptr;  // [H, N]: log of the sum of exponentials
  const T* grad_out = nullptr;                      // backward only: [N, H * E]
  T* grad_qkv = nullptr;                            // backward only: [N, (H + 2K) * E]
};

struct Segment {
  int64_t begin = 0, rows = 0;
};

// Memory on a cache line's border: a library's products may round differently off it.
template <typename T>
class AlignedNumbers {
 public:
  explicit AlignedNumbers(int64_t size)
      : numbers_(static_cast<T*>(
            ::operator new (static_cast<size_t>(size) * sizeof(T), std::align_val_t{64}))) {}
  ~AlignedNumbers() { ::operator delete (numbers_, std::align_val_t{64}); }
  AlignedNumbers(const AlignedNumbers&) = delete;
  AlignedNumbers& operator=(const AlignedNumbers&) = delete;
  T* data() { return numbers_; }

 private:
  T* const numbers_;
};

// Working memory of one thread for segments of up to `rows` rows.
template <typename T>
struct AttentionScratch {
  using Wide = typename WideOf<T>::type;
  AttentionScratch(int64_t rows, int64_t head_width);

  AlignedNumbers<T> keys, values, queries, grad_rows;  // [L, E]; keys and queries rotated
  AlignedNumbers<T> weights;                           // [block, L]
  AlignedNumbers<Wide> scores;                         // [block, L]
  AlignedNumbers<Wide> sums;                           // [block, E]
  AlignedNumbers<Wide> grad_keys, grad_values;         // [L, E]
};

// Writes `out` and `normalisers` of the query heads that read `kv_head`.
template <typename T>
void AttendForward(const AttentionPointers<T>& pointers, Segment segment, int64_t kv_head,
                   AttentionScratch<T>& scratch);

// Writes `grad_qkv` of `kv_head` and of the query heads that read it, from `out`, `normalisers` and
// `grad_out`.
template <typename T>
void AttendBackward(const AttentionPointers<T>& pointers, Segment segment, int64_t kv_head,
                    AttentionScratch<T>& scratch);

}  // namespace trainyard::model

#endif  // TRAINYARD_MODEL_ATTENTION_TASK_H_
