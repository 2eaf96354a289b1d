// One pass of the coordinator's core over a full cluster: 1,000 nodes of 8 GPUs in 10 pools, 10,000
// gangs of 1 to 512 tasks waiting, 10 tasks ending between two passes. The nodes that are not in
// use are kept for the head gangs of the pools. CPU time; prints one JSON line.
//
//   bench_scheduling_pass [PASSES]

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/random.h"
#include "base/status.h"
#include "coordinator/core/core.h"
#include "coordinator/core/state.h"

namespace trainyard::coordinator {
namespace {

constexpr int kNodes = 1000;
constexpr int kGpusPerNode = 8;
constexpr int kPools = 10;
constexpr size_t kPending = 10'000;
constexpr int kChanges = 10;
constexpr double kMostTasks = 512;
constexpr double kGoalMs = 50;

// What the thread computes: another program on the machine does not count.
double ThreadMs() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

class Cluster {
 public:
  Cluster() : core_(Options(), {.term = 1}, now_), random_(7) {
    for (int i = 0; i < kNodes; ++i) Register(i);
    while (core_.state().queue.size() < kPending) Submit();
  }

  // Milliseconds of a pass after some tasks have ended, and of a heartbeat.
  double Pass() {
    for (int i = 0; i < kChanges; ++i) EndOne();
    while (core_.state().queue.size() < kPending) Submit();
    return Time([&] { Step(Due{}, Options().pass_spacing); });
  }
  double Heartbeat() {
    return Time([&] { Step(AgentHeartbeat{1, 1}, absl::ZeroDuration()); });
  }

  double occupied() const {
    double used = 0;
    for (const auto& [name, node] : core_.state().nodes) used += node.tasks.size();
    return used / (kNodes * kGpusPerNode);
  }
  size_t pending() const { return core_.state().queue.size(); }

 private:
  static CoreOptions Options() { return CoreOptions(); }

  template <typename Work>
  static double Time(Work&& work) {
    const double begin = ThreadMs();
    work();
    return ThreadMs() - begin;
  }

  Decision Step(const Event& event, absl::Duration later) {
    now_ += later;
    return core_.Step(event, now_);
  }

  void Register(int index) {
    AgentRegister event;
    event.session = index + 1;
    event.node = absl::StrFormat("node-%04d", index);
    event.process_nonce = 1;
    event.offer.cpu_milli = kGpusPerNode * 1000;
    event.offer.memory_bytes = int64_t{kGpusPerNode} << 30;
    event.offer.labels = {{"pool", absl::StrCat(index % kPools)}};
    event.offer.roots = {{"runs", "cluster-1"}};
    for (int gpu = 0; gpu < kGpusPerNode; ++gpu) {
      event.offer.gpus.push_back(
          {absl::StrFormat("GPU-%08d-0000-0000-0000-%012d", index, gpu), "H200", 1});
    }
    Step(event, absl::ZeroDuration());
  }

  void Submit() {
    const uint64_t number = draws_++;
    SubmitJob event;
    event.job.id = absl::StrCat("job-", number);
    event.job.name = event.job.id;
    RoleShape trainer;
    trainer.name = "trainer";
    const double size = std::exp(random_.UniformDouble(2 * number) * std::log(kMostTasks));
    trainer.count = static_cast<int>(size);
    trainer.resources.gpus = 1;
    trainer.resources.cpu_milli = 1000;
    trainer.resources.memory_bytes = int64_t{1} << 30;
    trainer.resources.node_selector = {
        {"pool", absl::StrCat(random_.Below(kPools, 2 * number + 1))}};
    event.job.shape.roles = {trainer};
    event.job.shape.roots = {"runs"};
    event.job.shape.preflight = false;
    event.job.shape.run_uri = absl::StrCat("root://runs/", event.job.id);
    Step(event, absl::Microseconds(100));
  }

  // Some task ends; its job is tried again later.
  void EndOne() {
    const auto& tasks = core_.state().tasks;
    auto task = tasks.lower_bound(1 + random_.Below(tasks.rbegin()->first, draws_++));
    while (task != tasks.end() && !HoldsSlot(task->second.record)) ++task;
    if (task == tasks.end()) return;
    const Node& node = core_.state().nodes.at(task->second.record.node);
    Step(AgentTaskExit{node.session, task->first, {EndClass::kNodeLost, "ended"}},
         absl::ZeroDuration());
  }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  Core core_;
  const CounterRandom random_;
  uint64_t draws_ = 0;
};

int Main(int argc, char** argv) {
  const int passes = argc > 1 ? std::atoi(argv[1]) : 1000;
  Cluster cluster;
  std::vector<double> pass_ms, heartbeat_ms;
  for (int i = 0; i < passes; ++i) {
    pass_ms.push_back(cluster.Pass());
    heartbeat_ms.push_back(cluster.Heartbeat());
  }
  std::sort(pass_ms.begin(), pass_ms.end());
  std::sort(heartbeat_ms.begin(), heartbeat_ms.end());
  const auto at = [&](const std::vector<double>& sorted, double share) {
    return sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * sorted.size()))];
  };
  std::cout << Json({{"bench", "scheduling_pass"},
                     {"nodes", kNodes},
                     {"pending", cluster.pending()},
                     {"occupied", cluster.occupied()},
                     {"pass_p50_ms", at(pass_ms, 0.5)},
                     {"pass_p99_ms", at(pass_ms, 0.99)},
                     {"heartbeat_p99_ms", at(heartbeat_ms, 0.99)},
                     {"goal_ms", kGoalMs}})
            << std::endl;
  return 0;
}

}  // namespace
}  // namespace trainyard::coordinator

int main(int argc, char** argv) { return trainyard::coordinator::Main(argc, argv); }
