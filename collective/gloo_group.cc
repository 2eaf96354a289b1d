#include "collective/gloo_group.h"

#include <exception>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cause.h"
#include "base/status.h"
#include "collective/c10d_group.h"
#include "collective/c10d_store.h"

namespace trainyard::collective {

absl::StatusOr<std::unique_ptr<Group>> MakeGlooGroup(std::unique_ptr<Store> store,
                                                     const GroupOptions& options) {
  TY_RETURN_IF_ERROR(AwaitAllRanks(*store, options));
  c10::intrusive_ptr<c10d::Backend> backend;
  try {
    auto gloo_options = c10d::ProcessGroupGloo::Options::create();
    gloo_options->timeout = absl::ToChronoMilliseconds(options.call_timeout);
    gloo_options->devices.push_back(
        c10d::ProcessGroupGloo::createDeviceForHostname(options.host));
    backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
        store->c10d().store, options.rank, options.world_size, gloo_options);
  } catch (const std::exception& e) {
    return PeerLostError(absl::StrCat("rank ", options.rank, " of ", options.world_size, " on ",
                                      options.host, " cannot connect to its peers: ", e.what()));
  }
  return MakeC10dGroup(std::move(backend), std::move(store), options);
}

}  // namespace trainyard::collective
