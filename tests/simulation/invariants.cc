#include "tests/simulation/invariants.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "coordinator/store_codec.h"

namespace trainyard::simulation {
namespace {

using coordinator::IsTerminal;
using coordinator::JobState;
using coordinator::JobVerb;

// What is used of a device, and by which (job, group).
struct DeviceUse {
  double fraction = 0;
  std::string holder;
};

// Adds the use of one task; a violation in words, or nothing.
std::string Use(std::map<std::string, DeviceUse>& devices, const RunningProcess& process) {
  for (const std::string& uuid : process.gpus) {
    DeviceUse& device = devices[uuid];
    const coordinator::Resources& asks = process.resources;
    const bool shares = !asks.device_group.empty();
    const std::string holder = shares ? absl::StrCat(process.job_id, "/", asks.device_group)
                                      : absl::StrCat("task ", process.task_uid);
    if (!device.holder.empty() && device.holder != holder) {
      return absl::StrCat("device ", uuid, " is held by ", device.holder, " and ", holder);
    }
    device.holder = holder;
    device.fraction += shares && asks.gpu_memory_fraction > 0 ? asks.gpu_memory_fraction : 1;
    if (device.fraction > 1.0001) {
      return absl::StrCat("device ", uuid, " is used ", device.fraction, " times");
    }
  }
  return "";
}

std::string Overuse(const coordinator::NodeOffer& offer,
                    const std::vector<RunningProcess>& processes) {
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  std::map<std::string, DeviceUse> devices;
  for (const RunningProcess& process : processes) {
    cpu_milli += process.resources.cpu_milli;
    memory_bytes += process.resources.memory_bytes;
    const std::string violation = Use(devices, process);
    if (!violation.empty()) return violation;
  }
  if (cpu_milli > offer.cpu_milli) {
    return absl::StrCat(cpu_milli, " of ", offer.cpu_milli, " milli-cpu are used");
  }
  if (memory_bytes > offer.memory_bytes) {
    return absl::StrCat(memory_bytes, " of ", offer.memory_bytes, " bytes are used");
  }
  return "";
}

bool IsRetry(const coordinator::Event& event) {
  if (const auto* job = std::get_if<coordinator::ChangeJob>(&event)) {
    return job->verb == JobVerb::kRetry;
  }
  const auto* pipeline = std::get_if<coordinator::ChangePipeline>(&event);
  return pipeline != nullptr && pipeline->verb == JobVerb::kRetry;
}

}  // namespace

void Invariants::OnStart(const coordinator::Snapshot& snapshot) {
  if (snapshot.revision < acknowledged_) {
    world_.Violate(absl::StrCat("revision ", acknowledged_, " was acknowledged, but only ",
                                snapshot.revision, " is durable"));
  }
  std::set<std::string> known;
  states_.clear();
  epochs_.clear();
  commit_epochs_.clear();
  for (const auto& job : snapshot.jobs) {
    known.insert(job.id);
    states_[job.id] = job.state;
    epochs_[job.id] = job.epoch;
  }
  for (const std::string& id : acknowledged_jobs_) {
    if (known.count(id) == 0) world_.Violate(absl::StrCat("acknowledged job ", id, " is lost"));
  }
  revision_ = snapshot.revision;
}

void Invariants::AfterStep(const coordinator::Event& event, const coordinator::Decision& decision,
                           const coordinator::State& state) {
  CheckRevisions(decision);
  CheckTerminal(event, decision);
  CheckCommits(decision, state);
  CheckCapacity(state);
  CheckIndexes(state);
}

void Invariants::CheckRevisions(const coordinator::Decision& decision) {
  if (decision.batch != nullptr) {
    if (decision.batch->revision != revision_ + 1) {
      world_.Violate(absl::StrCat("revision ", decision.batch->revision, " follows ", revision_));
    }
    revision_ = decision.batch->revision;
  }
  if (decision.revision != revision_) {
    world_.Violate(
        absl::StrCat("a decision waits for revision ", decision.revision, ", not ", revision_));
  }
}

void Invariants::CheckTerminal(const coordinator::Event& event,
                               const coordinator::Decision& decision) {
  if (decision.batch == nullptr) return;
  for (const auto& job : decision.batch->jobs) {
    const auto before = states_.find(job.id);
    const bool was_terminal = before != states_.end() && IsTerminal(before->second);
    const bool retried = was_terminal && before->second != JobState::kSucceeded && IsRetry(event);
    if (was_terminal && before->second != job.state && !retried) {
      world_.Violate(absl::StrCat("terminal job ", job.id, " went from ",
                                  JobStateName(before->second), " to ", JobStateName(job.state)));
    }
    states_[job.id] = job.state;
    if (job.epoch < epochs_[job.id]) {
      world_.Violate(absl::StrCat("epoch of job ", job.id, " went back to ", job.epoch));
    }
    epochs_[job.id] = job.epoch;
  }
}

void Invariants::CheckCommits(const coordinator::Decision& decision,
                              const coordinator::State& state) {
  if (decision.batch == nullptr) return;
  for (const auto& row : decision.batch->checkpoints) {
    const coordinator::Job* job = state.FindJob(row.job_id);
    const uint64_t last = commit_epochs_[row.job_id];
    // In the step that commits nothing else can raise the epoch.
    if (row.epoch != job->record.epoch || row.epoch < last) {
      world_.Violate(absl::StrCat("epoch ", row.epoch, " of job ", row.job_id, " committed step ",
                                  row.step, " while epoch ", job->record.epoch,
                                  " has the right (last commit: epoch ", last, ")"));
    }
    commit_epochs_[row.job_id] = row.epoch;
    const auto writer = std::make_pair(row.job_id, row.request_id);
    const auto [first, fresh] = writers_.emplace(row.uri, writer);
    if (!fresh && first->second != writer) {
      world_.Violate(absl::StrCat("jobs ", first->second.first, " and ", row.job_id,
                                  " both wrote ", row.uri));
    }
  }
}

void Invariants::CheckCapacity(const coordinator::State& state) {
  for (const auto& [name, node] : state.nodes) {
    std::vector<RunningProcess> held;
    for (uint64_t uid : node.tasks) {
      const coordinator::TaskRecord& task = state.tasks.at(uid).record;
      held.push_back({uid, task.job_id, task.resources, task.gpus});
    }
    const std::string overuse = Overuse(node.record.offer, held);
    if (!overuse.empty()) {
      world_.Violate(absl::StrCat("node ", name, " is over-assigned: ", overuse));
    }
  }
}

void Invariants::CheckIndexes(const coordinator::State& state) {
  size_t queued = 0;
  size_t live = 0;
  for (const auto& [id, job] : state.jobs) {
    queued += job.record.state == JobState::kQueued ? 1 : 0;
    live += IsTerminal(job.record.state) ? 0 : 1;
    const bool runs = job.record.state == JobState::kActive;
    const bool attempt_lives =
        job.attempt.number > 0 && job.attempt.state != coordinator::AttemptState::kEnded;
    if (runs != attempt_lives) {
      world_.Violate(absl::StrCat("job ", id, " is ", JobStateName(job.record.state),
                                  ", its attempt ", AttemptStateName(job.attempt.state)));
    }
    if (runs != (state.active.count(id) > 0)) world_.Violate(absl::StrCat("active index of ", id));
  }
  if (queued != state.queue.size() || live != state.live.size()) {
    world_.Violate("the queue's or the live jobs' index is wrong");
  }
  for (const auto& [uid, task] : state.tasks) {
    const coordinator::Node* node = state.FindNode(task.record.node);
    if (HoldsSlot(task.record) != (node->tasks.count(uid) > 0)) {
      world_.Violate(absl::StrCat("task ", uid, " and its node disagree about the slot"));
    }
  }
}

void Invariants::MemoryEqualsDisk(const coordinator::State& state,
                                  const coordinator::SimDisk& disk) {
  const auto compare = [&](const std::string& memory, const auto& rows, const auto& key) {
    const auto row = rows.find(key);
    if (row != rows.end() && coordinator::EncodeRecord(row->second) == memory) return;
    world_.Violate(
        absl::StrCat("memory has ", memory, "\nbut the disk has ",
                     row == rows.end() ? "nothing" : coordinator::EncodeRecord(row->second)));
  };
  size_t checkpoints = 0;
  for (const auto& [id, job] : state.jobs) {
    compare(coordinator::EncodeRecord(job.record), disk.jobs, id);
    if (job.attempt.number > 0) {
      compare(coordinator::EncodeRecord(job.attempt), disk.attempts,
              std::make_pair(id, job.attempt.number));
    }
    for (const auto& row : job.checkpoints) {
      compare(coordinator::EncodeRecord(row), disk.checkpoints, std::make_pair(id, row.request_id));
    }
    checkpoints += job.checkpoints.size();
  }
  for (const auto& [uid, task] : state.tasks) {
    compare(coordinator::EncodeRecord(task.record), disk.tasks, uid);
  }
  for (const auto& [name, node] : state.nodes) {
    compare(coordinator::EncodeRecord(node.record), disk.nodes, name);
  }
  if (disk.checkpoints.size() != checkpoints || disk.jobs.size() != state.jobs.size()) {
    world_.Violate("the disk has rows that memory does not have");
  }
}

void Invariants::OnLeave(const coordinator::Decision& decision, int64_t durable_revision) {
  const bool speaks = !decision.orders.empty() || !decision.replies.empty();
  if (speaks && decision.revision > durable_revision) {
    world_.Violate(absl::StrCat("a message of revision ", decision.revision,
                                " left while only revision ", durable_revision, " is durable"));
  }
}

void Invariants::OnAcknowledged(const coordinator::Reply& reply) {
  if (!reply.status.ok()) return;
  if (const auto* job = std::get_if<coordinator::JobRecord>(&reply.value)) {
    if (job->revision == 0) return;  // only validated
    acknowledged_ = std::max(acknowledged_, job->revision);
    acknowledged_jobs_.insert(job->id);
    if (job->request_id.empty()) return;
    std::string& known = job_by_request_[job->request_id];
    if (!known.empty() && known != job->id) {
      world_.Violate(
          absl::StrCat("request ", job->request_id, " made jobs ", known, " and ", job->id));
    }
    known = job->id;
  }
  if (const auto* commit = std::get_if<coordinator::CommitAnswer>(&reply.value)) {
    acknowledged_ = std::max(acknowledged_, commit->revision);
  }
  if (const auto* finish = std::get_if<coordinator::FinishAnswer>(&reply.value)) {
    acknowledged_ = std::max(acknowledged_, finish->revision);
  }
}

void Invariants::OnProcesses(const coordinator::NodeOffer& offer,
                             const std::vector<RunningProcess>& processes) {
  const std::string overuse = Overuse(offer, processes);
  if (!overuse.empty()) {
    world_.Violate(absl::StrCat("processes on ", offer.host, ": ", overuse));
  }
}

void Invariants::AtTheEnd(const coordinator::State& state) {
  for (const std::string& id : state.live) {
    const coordinator::Job& job = *state.FindJob(id);
    world_.Violate(absl::StrCat("job ", id, " is still ", JobStateName(job.record.state),
                                ", attempt ", AttemptStateName(job.attempt.state)));
  }
  for (const auto& [name, node] : state.nodes) {
    for (uint64_t uid : node.tasks) {
      world_.Violate(absl::StrCat("task ", uid, " still holds its slot on ", name, ": ",
                                  TaskStateName(state.tasks.at(uid).record.state)));
    }
  }
}

}  // namespace trainyard::simulation
