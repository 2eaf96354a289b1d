#include "worker/join.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/port_range.h"
#include "base/status.h"
#include "collective/rendezvous.h"

namespace trainyard::worker {
namespace {

std::optional<task::Peer> RankZero(const task::PeerSnapshot& snapshot, const std::string& role) {
  for (const task::Peer& peer : snapshot.peers) {
    const bool is_rank_zero = peer.role == role && peer.index == 0;
    if (is_rank_zero && absl::StartsWith(peer.endpoint, kRendezvousScheme)) return peer;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<collective::Group>> JoinRanks(const task::Assignment& assignment,
                                                             const std::string& numerics_id,
                                                             task::TaskSession* session) {
  collective::RendezvousOptions options;
  options.job = assignment.job_id;
  options.epoch = static_cast<int64_t>(assignment.epoch);
  options.rank = assignment.index;
  options.world_size = assignment.role_count;
  options.host = assignment.advertise;
  TY_ASSIGN_OR_RETURN(options.ports, ParsePortRange(assignment.task_ports));
  if (!assignment.gpus.empty()) options.backend = collective::Backend::kNccl;
  options.publish = [&](const std::string& endpoint) {
    session->Ready(absl::StrCat(kRendezvousScheme, endpoint), numerics_id);
    return absl::OkStatus();
  };
  options.await_endpoint = [&](absl::Duration timeout) -> absl::StatusOr<std::string> {
    TY_ASSIGN_OR_RETURN(
        const task::PeerSnapshot snapshot,
        session->WaitForPeers(
            [&](const task::PeerSnapshot& peers) {
              return RankZero(peers, assignment.role).has_value();
            },
            timeout));
    const task::Peer rank_zero = *RankZero(snapshot, assignment.role);
    if (rank_zero.numerics_id != numerics_id) {
      return absl::FailedPreconditionError(absl::StrCat(
          "rank ", assignment.index, " computes as ", numerics_id, ", rank 0 as ",
          rank_zero.numerics_id, ": run all ranks on the same kind of machine and threads"));
    }
    return std::string(absl::StripPrefix(rank_zero.endpoint, kRendezvousScheme));
  };
  if (assignment.index > 0 || assignment.role_count == 1) session->Ready("", numerics_id);
  return collective::JoinGroup(options);
}

}  // namespace trainyard::worker
