#include "collective/nccl_group.h"

#include <exception>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "collective/c10d_group.h"
#include "collective/c10d_store.h"

namespace trainyard::collective {

absl::StatusOr<std::unique_ptr<Group>> MakeNcclGroup(std::unique_ptr<Store> store,
                                                     const GroupOptions& options) {
  TY_RETURN_IF_ERROR(AwaitAllRanks(*store, options));
  c10::intrusive_ptr<c10d::Backend> backend;
  try {
    auto nccl_options = c10d::ProcessGroupNCCL::Options::create();
    nccl_options->timeout = absl::ToChronoMilliseconds(options.call_timeout);
    backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
        store->c10d().store, options.rank, options.world_size, nccl_options);
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat("rank ", options.rank, " of ", options.world_size,
                                               " cannot start NCCL: ", e.what()));
  }
  return MakeC10dGroup(std::move(backend), std::move(store), options);
}

}  // namespace trainyard::collective
