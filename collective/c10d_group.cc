#include "collective/c10d_group.h"

#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/status.h"
#include "collective/presence.h"

namespace trainyard::collective {
namespace {

// How often a waiting call looks whether a peer has announced a failure.
constexpr std::chrono::milliseconds kLook{100};

// What a group's calls share: the back end, who is alive, and the first error.
struct Shared {
  c10::intrusive_ptr<c10d::Backend> backend;
  std::unique_ptr<Store> store;
  std::unique_ptr<Presence> presence;
  absl::Duration timeout;
  absl::Mutex mutex;
  absl::Status broken ABSL_GUARDED_BY(mutex);

  absl::Status Broken() ABSL_LOCKS_EXCLUDED(mutex) {
    absl::MutexLock lock(&mutex);
    return broken;
  }

  absl::Status Break(absl::Status error) ABSL_LOCKS_EXCLUDED(mutex) {
    {
      absl::MutexLock lock(&mutex);
      if (!broken.ok()) return broken;
      broken = error;
    }
    presence->Announce(error.message());
    return error;
  }

  // The error of a call that failed with `what`.
  absl::Status Fail(absl::string_view what) {
    if (absl::Status known = Broken(); !known.ok()) return known;
    if (absl::Status peer = presence->PeerFailure(); !peer.ok()) return Break(peer);
    return Break(presence->Diagnose(what));
  }
};

class C10dPending : public Pending {
 public:
  // `error` not OK: the call could not be started.
  C10dPending(std::shared_ptr<Shared> shared, c10::intrusive_ptr<c10d::Work> work,
              absl::Status error)
      : shared_(std::move(shared)), work_(std::move(work)), error_(std::move(error)) {}

  absl::Status Wait() override {
    TY_RETURN_IF_ERROR(error_);
    const absl::Duration deadline = Clock::Real().Monotonic() + shared_->timeout;
    while (true) {
      try {
        work_->wait(kLook);
        return absl::OkStatus();
      } catch (const std::exception& e) {
        // wait throws both when its own time ran out and when the call failed.
        if (work_->isCompleted()) return shared_->Fail(e.what());
      }
      TY_RETURN_IF_ERROR(shared_->Broken());
      if (absl::Status peer = shared_->presence->PeerFailure(); !peer.ok()) {
        return shared_->Break(peer);
      }
      if (Clock::Real().Monotonic() > deadline) {
        return shared_->Fail(
            absl::StrCat("no end within ", absl::FormatDuration(shared_->timeout)));
      }
    }
  }

 private:
  const std::shared_ptr<Shared> shared_;
  const c10::intrusive_ptr<c10d::Work> work_;
  const absl::Status error_;
};

class C10dGroup : public Group {
 public:
  C10dGroup(std::shared_ptr<Shared> shared, const GroupOptions& options)
      : shared_(std::move(shared)), rank_(options.rank), world_size_(options.world_size) {}

  int rank() const override { return rank_; }
  int world_size() const override { return world_size_; }

  std::unique_ptr<Pending> StartAllReduce(const at::Tensor& tensor) override {
    return Start(tensor, [&] {
      std::vector<at::Tensor> tensors = {tensor};
      return shared_->backend->allreduce(tensors, {});
    });
  }

  absl::Status ReduceScatter(const at::Tensor& input, const at::Tensor& output) override {
    return Start(input, [&] {
             at::Tensor in = input, out = output;
             return shared_->backend->_reduce_scatter_base(out, in, {});
           })->Wait();
  }

  absl::Status AllGather(const at::Tensor& input, const at::Tensor& output) override {
    return Start(input, [&] {
             at::Tensor in = input, out = output;
             return shared_->backend->_allgather_base(out, in, {});
           })->Wait();
  }

  absl::Status Broadcast(const at::Tensor& tensor, int root) override {
    return Start(tensor, [&] {
             std::vector<at::Tensor> tensors = {tensor};
             c10d::BroadcastOptions options;
             options.rootRank = root;
             return shared_->backend->broadcast(tensors, options);
           })->Wait();
  }

  absl::Status Barrier() override {
    return Start(at::Tensor(), [&] { return shared_->backend->barrier({}); })->Wait();
  }

  void Abort(absl::string_view reason) override {
    (void)shared_->Break(absl::CancelledError(reason));
  }

 private:
  template <typename Call>
  std::unique_ptr<Pending> Start(const at::Tensor& tensor, Call&& call) {
    absl::Status error = shared_->Broken();
    c10::intrusive_ptr<c10d::Work> work;
    if (error.ok() && tensor.defined() && !tensor.is_contiguous()) {
      error = absl::InvalidArgumentError("a collective call on a tensor that is not contiguous");
    }
    if (error.ok()) {
      shared_->presence->CountCall();
      try {
        work = call();
      } catch (const std::exception& e) {
        error = shared_->Fail(e.what());
      }
    }
    return std::make_unique<C10dPending>(shared_, std::move(work), std::move(error));
  }

  const std::shared_ptr<Shared> shared_;
  const int rank_;
  const int world_size_;
};

}  // namespace

absl::Status AwaitAllRanks(Store& store, const GroupOptions& options) {
  TY_RETURN_IF_ERROR(store.Set(absl::StrCat("here/", options.rank), options.host));
  const absl::Duration deadline = Clock::Real().Monotonic() + options.join_timeout;
  std::vector<int> missing;
  for (int rank = 0; rank < options.world_size; ++rank) {
    const absl::Duration left = deadline - Clock::Real().Monotonic();
    absl::StatusOr<std::string> here =
        store.Get(absl::StrCat("here/", rank), std::max(left, absl::ZeroDuration()));
    if (absl::IsDeadlineExceeded(here.status())) {
      missing.push_back(rank);
    } else if (!here.ok()) {
      return here.status();
    }
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "rank ", absl::StrJoin(missing, ", "), " of ", options.world_size,
      " did not come to the rendezvous at ", store.endpoint(), " within ",
      absl::FormatDuration(options.join_timeout)));
}

absl::StatusOr<std::unique_ptr<Group>> MakeC10dGroup(c10::intrusive_ptr<c10d::Backend> backend,
                                                     std::unique_ptr<Store> store,
                                                     const GroupOptions& options) {
  auto shared = std::make_shared<Shared>();
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Store> beats, store->Clone());
  shared->backend = std::move(backend);
  shared->store = std::move(store);
  shared->presence =
      std::make_unique<Presence>(std::move(beats), options.rank, options.world_size);
  shared->timeout = options.call_timeout;
  return std::make_unique<C10dGroup>(std::move(shared), options);
}

}  // namespace trainyard::collective
