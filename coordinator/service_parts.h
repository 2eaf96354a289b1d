// What the service files work with, and how they answer.

#ifndef TRAINYARD_COORDINATOR_SERVICE_PARTS_H_
#define TRAINYARD_COORDINATOR_SERVICE_PARTS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>

#include "base/clock.h"
#include "coordinator/call_table.h"
#include "coordinator/core_loop.h"
#include "coordinator/courier.h"
#include "coordinator/job_board.h"
#include "coordinator/log_store.h"
#include "coordinator/metrics_store.h"
#include "coordinator/read_pool.h"
#include "coordinator/session_table.h"
#include "coordinator/store.h"
#include "coordinator/watch_hub.h"

namespace trainyard::coordinator {

// All outlive the services.
struct ServiceParts {
  const Clock& clock;
  Store& store;
  DurableGate& gate;
  CoreLoop& loop;
  Courier& courier;
  CallTable& calls;
  SessionTable& sessions;
  JobBoard& board;
  WatchHub& watches;
  ReadPool& reads;
  MetricsStore& metrics;
  LogStore& logs;
};

// Whose call it is. One name for everybody until identities exist.
inline constexpr char kPrincipal[] = "anonymous";

// Ends a unary call.
void Finish(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
            const absl::Status& status);

// A unary call that the core decides: `make` is given the call's number, `answer` fills the
// response from a good reply.
grpc::ServerUnaryReactor* DecideCall(const ServiceParts& parts,
                                     grpc::CallbackServerContext* context,
                                     const std::function<Event(CallId)>& make,
                                     std::function<void(const Reply&)> answer);

// A unary call that `read` answers on a thread that may block.
grpc::ServerUnaryReactor* ReadCall(const ServiceParts& parts, grpc::CallbackServerContext* context,
                                   std::function<absl::Status()> read);

// A unary call that is over already.
grpc::ServerUnaryReactor* RefuseCall(grpc::CallbackServerContext* context,
                                     const absl::Status& status);

// The status of a reply, with its reason word and a remedy as detail.
absl::Status StatusOf(const Reply& reply);

// Unavailable: too much waits already; try again shortly.
absl::Status Overloaded();

// What the store knows of it. NotFound says in its detail what to do.
absl::StatusOr<JobRecord> FindJob(const ServiceParts& parts, const std::string& id_or_name);
absl::StatusOr<PipelineRecord> FindPipeline(const ServiceParts& parts,
                                            const std::string& id_or_name);

// The job as the board shows it; of a job that is over, from the store. With checkpoints.
absl::StatusOr<v1::Job> ReadJob(const ServiceParts& parts, const std::string& id_or_name);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SERVICE_PARTS_H_
