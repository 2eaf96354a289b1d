// The proof, made at every start, that an engine keeps its numerics contract on this machine.

#ifndef TRAINYARD_ROLLOUT_ROW_INDEPENDENCE_H_
#define TRAINYARD_ROLLOUT_ROW_INDEPENDENCE_H_

#include "absl/status/status.h"
#include "kernels/thread_pool.h"
#include "rollout/packed_model.h"
#include "rollout/runner.h"

namespace trainyard::rollout {

// Computes one sequence whole, token by token, and in chunks beside another sequence, and compares
// the bits of all logits. Internal when a row depends on the others: the engine must not serve.
absl::Status CheckRowIndependence(const PackedModel& model, const KernelChoice& kernels,
                                  kernels::ThreadPool& pool);

}  // namespace trainyard::rollout

#endif  // TRAINYARD_ROLLOUT_ROW_INDEPENDENCE_H_
