// What data-parallel ranks say to each other: sums, copies and barriers over tensors.
//
// A Group is one rank's end. It is neither a scheduler nor a retry layer: after the first error the
// group is broken, every later call returns that error, and the process is expected to report it
// and exit (a new attempt makes a new group).
//
// All ranks make the same calls in the same order with equal shapes and dtypes. Every call has the
// deadline that the group was made with. The order of a sum depends on the ranks and the tensor's
// size alone, and all ranks get the same bits: runs repeat exactly.
//
// Errors: Unavailable (a peer is gone; the message names the rank where that is known),
// DeadlineExceeded (a peer did not come to the call in time), Cancelled (Abort),
// InvalidArgument (a tensor that is not contiguous, or sizes that do not fit).

#ifndef TRAINYARD_COLLECTIVE_GROUP_H_
#define TRAINYARD_COLLECTIVE_GROUP_H_

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard::collective {

// A call that was started. The tensors must not be touched until Wait returned OK. Owned by the
// thread that started it. Destroying it without Wait is allowed only when the group is broken.
class Pending {
 public:
  virtual ~Pending() = default;
  // Waits until the call's deadline. On a GPU: until the compute stream waits for the result.
  virtual absl::Status Wait() = 0;
};

// Owned: one thread makes all calls but Abort, which any thread may make.
class Group {
 public:
  virtual ~Group() = default;

  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  // tensor = the sum of all ranks' tensors, in place. The second form returns at once; started
  // calls may overlap each other and run in the order in which they were started.
  absl::Status AllReduce(const at::Tensor& tensor) { return StartAllReduce(tensor)->Wait(); }
  virtual std::unique_ptr<Pending> StartAllReduce(const at::Tensor& tensor) = 0;

  // `input` [world_size * n, ...] summed over ranks; rank r gets rows r*n .. in `output` [n, ...].
  virtual absl::Status ReduceScatter(const at::Tensor& input, const at::Tensor& output) = 0;

  // `output` [world_size * n, ...] = the ranks' `input` [n, ...] one after the other.
  virtual absl::Status AllGather(const at::Tensor& input, const at::Tensor& output) = 0;

  // Every rank gets `root`'s tensor.
  virtual absl::Status Broadcast(const at::Tensor& tensor, int root) = 0;

  // Returns when every rank has called it.
  virtual absl::Status Barrier() = 0;

  // Breaks the group: calls in progress here and on the peers fail soon, with `reason` where it
  // arrives. Idempotent; the first reason stays.
  virtual void Abort(absl::string_view reason) = 0;
};

}  // namespace trainyard::collective

#endif  // TRAINYARD_COLLECTIVE_GROUP_H_
