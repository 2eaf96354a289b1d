#include "collective/rendezvous.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "collective/gloo_group.h"
#include "collective/local_group.h"
#include "collective/store.h"
#ifdef TRAINYARD_CUDA
#include "collective/nccl_group.h"
#endif

namespace trainyard::collective {
namespace {

// A store on this very machine is slow only where the machine is. The join's own deadline is for
// those who do not come.
constexpr absl::Duration kLeastHostTimeout = absl::Seconds(30);

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const RendezvousOptions& options) {
  const std::string prefix = absl::StrCat(options.job, "/", options.epoch);
  if (options.rank == 0) {
    TY_ASSIGN_OR_RETURN(std::unique_ptr<Store> store,
                        Store::Host(options.host, prefix,
                                    std::max(options.join_timeout, kLeastHostTimeout),
                                    options.ports));
    TY_RETURN_IF_ERROR(options.publish(store->endpoint()));
    return store;
  }
  TY_ASSIGN_OR_RETURN(const std::string endpoint, options.await_endpoint(options.join_timeout));
  return Store::Connect(endpoint, prefix, options.join_timeout);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Group>> JoinGroup(const RendezvousOptions& options) {
  if (options.world_size < 1 || options.rank < 0 || options.rank >= options.world_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", options.rank, " in a world of ", options.world_size));
  }
  if (options.world_size == 1) return SingleRankGroup();
  TY_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, OpenStore(options));
  const GroupOptions group{options.rank, options.world_size, options.host, options.join_timeout,
                           options.call_timeout};
  if (options.backend == Backend::kGloo) return MakeGlooGroup(std::move(store), group);
#ifdef TRAINYARD_CUDA
  return MakeNcclGroup(std::move(store), group);
#else
  return absl::FailedPreconditionError(
      "this build has no NCCL: build with TRAINYARD_CUDA=ON, or train on the CPU");
#endif
}

}  // namespace trainyard::collective
