// The packs of one pass: what a rank's share of an optimizer step is made of.

#ifndef TRAINYARD_DATA_PASS_PLAN_H_
#define TRAINYARD_DATA_PASS_PLAN_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "data/micro_batch.h"

namespace trainyard::data {

// The least unit that goes to a rank whole: a window of a text stream, a pack of conversations, or
// a group of ranked answers. Costs are known without reading a token.
struct Pack {
  std::vector<int64_t> entries;  // of the pass: conversations, or one group
  int64_t begin_token = 0;       // pretraining: place in the pass's stream of documents
  int64_t tokens = 0;
  int64_t units = 0;
  int64_t segments = 0;
};

struct PassPlanOptions {
  bool in_file_order = false;  // for validation: no shuffle, nothing drawn, nothing left out
  bool isolate_documents = false;
  bool pack_samples = false;
  int32_t group_size = 4;
  double min_rating_gap = 0;
  double token_dropout = 0;
  int32_t dropout_id = 0;
};

// Immutable, thread-safe; the data set must outlive it.
class PassPlan {
 public:
  static constexpr int64_t kWindowSamples = 1024;

  virtual ~PassPlan() = default;

  // Windows of the pass; packing never looks beyond one.
  virtual int64_t window_count() const = 0;
  // The packs of window 0 <= `window` < window_count(): at least one.
  virtual std::vector<Pack> Window(int64_t window) const = 0;
  // Reads a pack of this pass.
  virtual void Append(const Pack& pack, MicroBatchBuilder* batch) const = 0;
};

// The plan of pass `pass` for the data set's objective, ordered by `key`.
std::unique_ptr<PassPlan> MakePassPlan(const Dataset& dataset, const PassPlanOptions& options,
                                       uint64_t key, int64_t pass);

}  // namespace trainyard::data

#endif  // TRAINYARD_DATA_PASS_PLAN_H_
