#include "coordinator/service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/status.h"
#include "coordinator/agent_service.h"
#include "coordinator/cluster_service.h"
#include "coordinator/http_page.h"
#include "coordinator/job_service.h"
#include "coordinator/store_sqlite.h"
#include "coordinator/task_service.h"
#include "rpc/server.h"

namespace trainyard::coordinator {
namespace {

constexpr int kReadThreads = 2;
constexpr size_t kReadQueue = 4096;
constexpr absl::Duration kPatience = absl::Seconds(2);

// What a state directory gave.
struct Opened {
  std::unique_ptr<DurableGate> gate;
  std::unique_ptr<Store> store;
  std::unique_ptr<MetricsStore> metrics;
  LogStoreOptions logs;
  Snapshot snapshot;
};

// Members in the order in which they are made; each uses only what stands above it.
class Whole final : public Coordinator {
 public:
  Whole(const CoreOptions& core, const Clock& clock, Opened opened)
      : clock_(clock),
        gate_(std::move(opened.gate)),
        store_(std::move(opened.store)),
        metrics_(std::move(opened.metrics)),
        logs_(std::move(opened.logs)),
        board_(opened.snapshot),
        courier_({calls_, sessions_, board_, watches_}, opened.snapshot.revision),
        loop_({.core = core}, std::move(opened.snapshot), {clock_, *store_, *gate_, courier_}),
        reads_(kReadThreads, kReadQueue),
        jobs_(Parts()),
        cluster_(Parts()),
        agents_(Parts()),
        tasks_(Parts()) {}

  ~Whole() override {
    http_.reset();
    sessions_.CloseAll(absl::UnavailableError("the coordinator stops; connect again"));
    if (server_ != nullptr) server_->Shutdown(kPatience);
  }

  absl::Status Serve(const Config& config) {
    rpc::ServerOptions options;
    options.listen = config.listen;
    options.advertise = config.advertise;
    TY_ASSIGN_OR_RETURN(server_,
                        rpc::Server::Start(options, {&jobs_, &cluster_, &agents_, &tasks_}));
    if (!config.http.empty()) {
      TY_ASSIGN_OR_RETURN(http_, HttpPage::Start({.listen = config.http,
                                                  .health = [this] { return gate_->failure(); },
                                                  .metrics = [this] { return MetricsText(); }}));
      TY_ASSIGN_OR_RETURN(const rpc::HostPort at, rpc::ParseAddress(config.http));
      http_endpoint_ = absl::StrCat(at.host, ":", http_->port());
    }
    if (!config.address_file.empty()) {
      TY_RETURN_IF_ERROR(WriteFileAtomically(config.address_file, endpoint() + "\n"));
    }
    if (!config.http_address_file.empty()) {
      TY_RETURN_IF_ERROR(WriteFileAtomically(config.http_address_file, http_endpoint_ + "\n"));
    }
    return absl::OkStatus();
  }

  std::string endpoint() const override { return server_->endpoint(); }
  std::string http_endpoint() const override { return http_endpoint_; }

 private:
  ServiceParts Parts() {
    return {clock_,    *store_, *gate_,   loop_,  courier_,  calls_,
            sessions_, board_,  watches_, reads_, *metrics_, logs_};
  }

  std::string MetricsText() const {
    Metrics& metrics = Metrics::Process();
    const auto counts = store_->CountJobsByState();
    if (counts.ok()) {
      for (const auto& [state, count] : *counts) {
        metrics.Set("trainyard_jobs", {{"state", state}}, static_cast<double>(count));
      }
    }
    metrics.Set("trainyard_coordinator_term", {}, static_cast<double>(store_->term()));
    metrics.Set("trainyard_store_durable_revision", {},
                static_cast<double>(store_->durable_revision()));
    metrics.Set("trainyard_store_read_only", {}, store_->read_only_reason().empty() ? 0 : 1);
    metrics.Set("trainyard_core_queue_events", {}, static_cast<double>(loop_.queued()));
    metrics.Set("trainyard_decisions_not_durable", {}, static_cast<double>(gate_->waiting()));
    metrics.Set("trainyard_calls_waiting", {}, static_cast<double>(calls_.size()));
    metrics.Set("trainyard_sessions", {}, static_cast<double>(sessions_.size()));
    metrics.Set("trainyard_watchers", {}, static_cast<double>(watches_.size()));
    metrics.Set("trainyard_metric_points_dropped_total", {},
                static_cast<double>(metrics_->dropped()));
    return metrics.PrometheusText();
  }

  const Clock& clock_;
  // Declared before the store: the store's writer speaks to it until it ends.
  const std::unique_ptr<DurableGate> gate_;
  const std::unique_ptr<Store> store_;
  const std::unique_ptr<MetricsStore> metrics_;
  LogStore logs_;
  CallTable calls_;
  SessionTable sessions_;
  JobBoard board_;
  WatchHub watches_;
  Courier courier_;
  CoreLoop loop_;
  ReadPool reads_;
  JobService jobs_;
  ClusterService cluster_;
  AgentService agents_;
  TaskService tasks_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<HttpPage> http_;
  std::string http_endpoint_;
};

void DescribeMetrics() {
  Metrics& metrics = Metrics::Process();
  metrics.Describe("trainyard_jobs", "gauge", "Jobs by state.");
  metrics.Describe("trainyard_coordinator_term", "gauge", "Starts of this state directory.");
  metrics.Describe("trainyard_store_durable_revision", "gauge", "Last revision on disk.");
  metrics.Describe("trainyard_store_read_only", "gauge", "1 while no new work is taken: no space.");
  metrics.Describe("trainyard_core_queue_events", "gauge", "Events that wait for the core.");
  metrics.Describe("trainyard_decisions_not_durable", "gauge", "Decisions held until durable.");
  metrics.Describe("trainyard_calls_waiting", "gauge", "Calls that wait for a decision.");
  metrics.Describe("trainyard_sessions", "gauge", "Open streams of agents and tasks.");
  metrics.Describe("trainyard_watchers", "gauge", "Open WatchJobs calls.");
  metrics.Describe("trainyard_metric_points_dropped_total", "counter",
                   "Points of jobs' metrics that were not kept.");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Start(
    const Config& config, const CoreOptions& core, const Clock& clock,
    std::function<void(absl::Status)> on_failure) {
  DescribeMetrics();
  Opened opened;
  opened.gate = std::make_unique<DurableGate>();
  SqliteStoreOptions options;
  options.state_dir = config.state_dir;
  options.on_durable = [gate = opened.gate.get(), on_failure](absl::StatusOr<int64_t> revision) {
    gate->OnDurable(revision);
    if (!revision.ok()) on_failure(revision.status());
  };
  TY_ASSIGN_OR_RETURN(opened.store, OpenSqliteStore(std::move(options)));
  TY_ASSIGN_OR_RETURN(opened.snapshot, opened.store->Load());
  // What was loaded is durable.
  opened.gate->OnDurable(opened.snapshot.revision);
  TY_ASSIGN_OR_RETURN(
      opened.metrics,
      MetricsStore::Open({.path = absl::StrCat(config.state_dir, "/metrics.db")}, clock));
  opened.logs.directory = absl::StrCat(config.state_dir, "/logs");
  auto whole = std::make_unique<Whole>(core, clock, std::move(opened));
  TY_RETURN_IF_ERROR(whole->Serve(config));
  return whole;
}

}  // namespace trainyard::coordinator
