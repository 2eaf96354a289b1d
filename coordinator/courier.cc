#include "coordinator/courier.h"

#include "coordinator/wire.h"

namespace trainyard::coordinator {
namespace {

constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

}  // namespace

Courier::Courier(CourierParts parts, int64_t durable_revision)
    : parts_(parts),
      revision_(durable_revision),
      progress_(kProgressInterval, [this] { TellProgress(); }) {}

void Courier::Immediate(const Decision& decision) {
  for (const Outgoing& outgoing : decision.immediate) parts_.sessions.Send(outgoing);
  for (const LiveProgress& progress : decision.progress) parts_.board.Observe(progress);
}

void Courier::Durable(const Decision& decision) {
  // The board first: whoever reads after an answer finds what was answered.
  std::vector<JobView> changed;
  if (decision.batch != nullptr) changed = parts_.board.Apply(*decision.batch);
  revision_.store(decision.revision);
  for (const Outgoing& outgoing : decision.orders) parts_.sessions.Send(outgoing);
  for (const Reply& reply : decision.replies) parts_.calls.Resolve(reply);
  for (const JobView& view : changed) Tell(view, false);
}

void Courier::Tell(const JobView& view, bool with_metrics) {
  parts_.watches.Publish(view.job.id, view.job.pipeline_id, [&] {
    v1::WatchJobsEvent event;
    event.set_revision(revision());
    *event.mutable_job() = ToWire(view);
    if (with_metrics) event.mutable_metrics()->insert(view.metrics.begin(), view.metrics.end());
    return event;
  });
}

void Courier::TellProgress() {
  for (const std::string& id : parts_.board.TakeChanged()) {
    const auto view = parts_.board.Find(id);
    if (view.has_value()) Tell(*view, true);
  }
}

}  // namespace trainyard::coordinator
