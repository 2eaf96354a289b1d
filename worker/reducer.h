// Sums gradients over micro-batches and over ranks, while backward still runs.
//
// Each parameter's gradient is added by a hook into a main gradient (fp32; float64 for float64
// parameters) that lies in a flat bucket, and is cleared at once. In the last micro-batch of a step
// a full bucket is all-reduced, always in index order, so that ranks agree whatever their graphs
// do. The layout of buckets is a function of the parameters and options alone. Parameters without
// gradient contribute zeros; ranks may have different numbers of micro-batches, also none.
//
//   BeginStep, { BeginMicroBatch, backward }*, Launch, Wait
//
// Several reducers may share a group: each one's Launch comes before the backward of the last
// micro-batch of the next one, on every rank alike.

#ifndef TRAINYARD_WORKER_REDUCER_H_
#define TRAINYARD_WORKER_REDUCER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/json.h"
#include "collective/group.h"
#include "worker/named_tensor.h"

namespace trainyard::worker {

// Owned: by the thread that runs backward. Parameters and group outlive it.
class Reducer {
 public:
  // `parameters` in the order of the forward pass; buckets are filled from the last to the first,
  // as backward produces them, up to `bucket_bytes` of main gradients each.
  Reducer(const NamedTensors& parameters, collective::Group* group, int64_t bucket_bytes);
  ~Reducer();  // takes the hooks away
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  // Forgets the gradients of the step before.
  void BeginStep();
  // Before each micro-batch's backward. `last`: this rank's last one of the step, whose full
  // buckets are reduced at once.
  void BeginMicroBatch(bool last);
  // After the last backward: starts the reduction of what is left.
  void Launch();
  // Until all sums are there, or the group's error.
  absl::Status Wait();

  // Main gradients by parameter, views into the buckets. Sums over all units of all ranks after
  // Wait.
  const std::vector<at::Tensor>& gradients() const { return gradients_; }
  // The flat buckets themselves, for passes over all gradients.
  const std::vector<at::Tensor>& buckets() const { return flats_; }

  // [[name, ...], ...] by bucket, for the run manifest.
  Json Layout() const;

 private:
  class Hook;
  struct Bucket {
    std::vector<size_t> parameters;
    int waiting = 0;  // parameters whose gradient of the last micro-batch is not there yet
    bool launched = false;
    std::unique_ptr<collective::Pending> pending;
  };

  void Accumulate(size_t parameter, const at::Tensor& tensor);
  void LaunchReady(bool all);

  const NamedTensors parameters_;
  collective::Group* const group_;
  std::vector<Bucket> buckets_;
  std::vector<at::Tensor> flats_;
  std::vector<at::Tensor> gradients_;
  std::vector<size_t> bucket_of_;
  std::vector<bool> seen_;  // this step
  bool last_ = false;
  size_t next_launch_ = 0;
};

}  // namespace trainyard::worker

#endif  // TRAINYARD_WORKER_REDUCER_H_
