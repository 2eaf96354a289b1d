#include "collective/local_group.h"

#include <ATen/ATen.h>

#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/status.h"

namespace trainyard::collective {
namespace {

// One call, numbered by its place in each rank's sequence of calls.
struct Meeting {
  std::vector<at::Tensor> inputs;  // by rank
  int arrived = 0;
  int left = 0;
};

// Where the ranks meet. Guarded.
class LocalWorld {
 public:
  LocalWorld(int world_size, absl::Duration timeout)
      : world_size_(world_size), timeout_(timeout) {}

  int world_size() const { return world_size_; }

  void Arrive(int64_t call, int rank, at::Tensor input) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    Meeting& meeting = meetings_[call];
    meeting.inputs.resize(world_size_);
    meeting.inputs[rank] = std::move(input);
    ++meeting.arrived;
  }

  // All ranks' inputs of `call`, when all have arrived.
  absl::StatusOr<std::vector<at::Tensor>> Meet(int64_t call) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    Meeting& meeting = meetings_[call];
    const auto done = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return meeting.arrived == world_size_ || !broken_.ok();
    };
    const bool in_time = mutex_.AwaitWithTimeout(absl::Condition(&done), timeout_);
    if (meeting.arrived == world_size_) {
      std::vector<at::Tensor> inputs = meeting.inputs;
      if (++meeting.left == world_size_) meetings_.erase(call);
      return inputs;
    }
    if (in_time) return broken_;
    std::string missing;
    for (int rank = 0; rank < world_size_; ++rank) {
      if (meeting.inputs.empty() || !meeting.inputs[rank].defined()) {
        absl::StrAppend(&missing, missing.empty() ? "" : ", ", rank);
      }
    }
    broken_ = absl::DeadlineExceededError(
        absl::StrCat("rank ", missing, " of ", world_size_, " did not come to collective call ",
                     call, " within ", absl::FormatDuration(timeout_)));
    return broken_;
  }

  void Break(absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (broken_.ok()) broken_ = absl::CancelledError(reason);
  }

 private:
  const int world_size_;
  const absl::Duration timeout_;
  absl::Mutex mutex_;
  std::map<int64_t, Meeting> meetings_ ABSL_GUARDED_BY(mutex_);
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);
};

// A sum that is taken when it is waited for. The result goes into the caller's tensor only after
// every rank has read its copy, since inputs are clones.
class LocalSum : public Pending {
 public:
  LocalSum(std::shared_ptr<LocalWorld> world, int64_t call, at::Tensor tensor)
      : world_(std::move(world)), call_(call), tensor_(std::move(tensor)) {}

  absl::Status Wait() override {
    TY_ASSIGN_OR_RETURN(std::vector<at::Tensor> inputs, world_->Meet(call_));
    at::Tensor sum = inputs[0].clone();
    for (size_t rank = 1; rank < inputs.size(); ++rank) sum.add_(inputs[rank]);
    tensor_.copy_(sum);
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<LocalWorld> world_;
  const int64_t call_;
  const at::Tensor tensor_;
};

class LocalGroup : public Group {
 public:
  LocalGroup(std::shared_ptr<LocalWorld> world, int rank) : world_(std::move(world)), rank_(rank) {}

  int rank() const override { return rank_; }
  int world_size() const override { return world_->world_size(); }

  std::unique_ptr<Pending> StartAllReduce(const at::Tensor& tensor) override {
    const int64_t call = Arrive(tensor);
    return std::make_unique<LocalSum>(world_, call, tensor);
  }

  absl::Status ReduceScatter(const at::Tensor& input, const at::Tensor& output) override {
    at::Tensor sum = input.clone();
    TY_RETURN_IF_ERROR(AllReduce(sum));
    output.copy_(sum.narrow(0, rank_ * output.size(0), output.size(0)));
    return absl::OkStatus();
  }

  absl::Status AllGather(const at::Tensor& input, const at::Tensor& output) override {
    const int64_t call = Arrive(input);
    TY_ASSIGN_OR_RETURN(std::vector<at::Tensor> inputs, world_->Meet(call));
    output.copy_(at::cat(inputs, 0));
    return absl::OkStatus();
  }

  absl::Status Broadcast(const at::Tensor& tensor, int root) override {
    const int64_t call = Arrive(tensor);
    TY_ASSIGN_OR_RETURN(std::vector<at::Tensor> inputs, world_->Meet(call));
    if (rank_ != root) tensor.copy_(inputs[root]);
    return absl::OkStatus();
  }

  absl::Status Barrier() override {
    const int64_t call = Arrive(at::empty({0}));
    return world_->Meet(call).status();
  }

  void Abort(absl::string_view reason) override { world_->Break(reason); }

 private:
  int64_t Arrive(const at::Tensor& tensor) {
    world_->Arrive(next_call_, rank_, tensor.clone());
    return next_call_++;
  }

  const std::shared_ptr<LocalWorld> world_;
  const int rank_;
  int64_t next_call_ = 0;
};

class Done : public Pending {
 public:
  explicit Done(absl::Status status) : status_(std::move(status)) {}
  absl::Status Wait() override { return status_; }

 private:
  const absl::Status status_;
};

class OneRank : public Group {
 public:
  int rank() const override { return 0; }
  int world_size() const override { return 1; }
  std::unique_ptr<Pending> StartAllReduce(const at::Tensor&) override {
    return std::make_unique<Done>(State());
  }
  absl::Status ReduceScatter(const at::Tensor& input, const at::Tensor& output) override {
    output.copy_(input);
    return State();
  }
  absl::Status AllGather(const at::Tensor& input, const at::Tensor& output) override {
    output.copy_(input);
    return State();
  }
  absl::Status Broadcast(const at::Tensor&, int) override { return State(); }
  absl::Status Barrier() override { return State(); }
  void Abort(absl::string_view reason) override {
    absl::MutexLock lock(&mutex_);
    if (broken_.ok()) broken_ = absl::CancelledError(reason);
  }

 private:
  absl::Status State() {
    absl::MutexLock lock(&mutex_);
    return broken_;
  }

  absl::Mutex mutex_;
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::vector<std::unique_ptr<Group>> LocalGroups(int world_size, absl::Duration timeout) {
  const auto world = std::make_shared<LocalWorld>(world_size, timeout);
  std::vector<std::unique_ptr<Group>> groups;
  for (int rank = 0; rank < world_size; ++rank) {
    groups.push_back(std::make_unique<LocalGroup>(world, rank));
  }
  return groups;
}

std::unique_ptr<Group> SingleRankGroup() { return std::make_unique<OneRank>(); }

}  // namespace trainyard::collective
