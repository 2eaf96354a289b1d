#include "tests/simulation/sim_users.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trainyard::simulation {
namespace {

using coordinator::JobVerb;
using coordinator::Reply;
using coordinator::Resources;
using coordinator::RoleShape;

constexpr size_t kMostJobs = 60;
constexpr int64_t kGiB = int64_t{1} << 30;

RoleShape Role(const std::string& name, int count, const Resources& resources) {
  RoleShape role;
  role.name = name;
  role.count = count;
  role.resources = resources;
  return role;
}

Resources Asks(int gpus, int64_t cpu_milli) {
  Resources resources;
  resources.gpus = gpus;
  resources.cpu_milli = cpu_milli;
  resources.memory_bytes = kGiB;
  return resources;
}

}  // namespace

SimUsers::SimUsers(World* world, Network* network, Invariants* invariants,
                   std::vector<std::string> nodes)
    : Actor(world),
      network_(*network),
      invariants_(*invariants),
      nodes_(std::move(nodes)),
      client_(network->Join(this, "users")) {}

void SimUsers::Start() { ActForever(); }

void SimUsers::ActForever() {
  Later(world_.Between(absl::Milliseconds(100), absl::Seconds(4)), [this] {
    if (done_) return;
    Act();
    ActForever();
  });
}

void SimUsers::Act() {
  const uint64_t wish = world_.Below(100);
  if (wish < 40) return Submit();
  if (wish < 48) return SubmitPipeline();
  if (wish < 55) return Change(JobVerb::kCancel, AnyJob());
  if (wish < 63) return Change(JobVerb::kPause, AnyJob());
  if (wish < 75) return Change(JobVerb::kResume, AnyJob());
  if (wish < 84) return Change(JobVerb::kRetry, AnyJob());
  if (wish < 94) return Scale();
  Maintain();
}

std::string SimUsers::AnyJob() {
  return jobs_.empty() ? "nobody" : jobs_[world_.Below(jobs_.size())];
}

void SimUsers::Insist(Network::MakeEvent make, Network::OnReply on_reply) {
  network_.Call(client_, make, [this, make, on_reply](const Reply& reply) {
    if (absl::IsUnavailable(reply.status)) return Insist(make, on_reply);
    invariants_.OnAcknowledged(reply);
    on_reply(reply);
  });
}

coordinator::JobDraft SimUsers::Draft(const std::string& name) {
  coordinator::JobDraft draft;
  draft.id = world_.Id("job");
  draft.secret = world_.Id("secret");
  draft.name = name;
  // Some people send every run to the same place.
  draft.shape.run_uri = absl::StrCat(
      "root://runs/", world_.Chance(0.3) ? absl::StrCat("shared-", world_.Below(4)) : draft.id);
  draft.shape.roots = {"runs"};
  draft.shape.priority = static_cast<int>(world_.Below(3));
  draft.shape.start_limit = absl::Seconds(60);
  draft.shape.preflight = world_.Chance(0.8);
  if (world_.Chance(0.5)) {
    draft.shape.kind = "sft";
    const int gpus = static_cast<int>(world_.Below(2));
    draft.shape.roles = {Role("trainer", 1 + static_cast<int>(world_.Below(4)), Asks(gpus, 1000))};
    return draft;
  }
  draft.shape.kind = "ppo";
  Resources shared = Asks(1, 500);
  shared.device_group = "all";
  shared.gpu_memory_fraction = 0.4;
  const bool gpu = world_.Chance(0.5);
  RoleShape rollout = Role("rollout", 2, gpu ? shared : Asks(0, 500));
  rollout.elastic = true;
  draft.shape.roles = {
      Role("controller", 1, Asks(0, 100)),
      Role("learner", 1 + static_cast<int>(world_.Below(2)), gpu ? shared : Asks(0, 1000)),
      rollout};
  return draft;
}

void SimUsers::Submit() {
  if (jobs_.size() >= kMostJobs) return;
  coordinator::SubmitJob submit;
  submit.principal = "alice";
  submit.request_id = world_.Id("request");
  submit.body_digest = submit.request_id;
  submit.job = Draft(absl::StrCat("job-", world_.Below(12)));
  const auto make = [submit](CallId call) {
    coordinator::SubmitJob event = submit;
    event.call = call;
    return event;
  };
  Insist(make, [this](const Reply& reply) {
    const auto* job = std::get_if<coordinator::JobRecord>(&reply.value);
    if (reply.status.ok() && job != nullptr) jobs_.push_back(job->id);
  });
}

void SimUsers::SubmitPipeline() {
  if (jobs_.size() >= kMostJobs) return;
  coordinator::SubmitPipeline submit;
  submit.principal = "alice";
  submit.request_id = world_.Id("request");
  submit.body_digest = submit.request_id;
  submit.id = world_.Id("pipe");
  submit.name = "line";
  submit.stages = {Draft("first"), Draft("second"), Draft("third")};
  submit.stages[1].shape.inputs = {{"first/model", "first", "model"}};
  submit.stages[2].shape.after = {"second"};
  const auto make = [submit](CallId call) {
    coordinator::SubmitPipeline event = submit;
    event.call = call;
    return event;
  };
  Insist(make, [this](const Reply& reply) {
    const auto* pipeline = std::get_if<coordinator::PipelineRecord>(&reply.value);
    if (!reply.status.ok() || pipeline == nullptr) return;
    for (const std::string& id : pipeline->job_ids) jobs_.push_back(id);
  });
}

void SimUsers::Change(JobVerb verb, const std::string& job) {
  Insist(
      [verb, job](CallId call) {
        return coordinator::ChangeJob{call, "alice", verb, job, ""};
      },
      [](const Reply&) {});
}

void SimUsers::Scale() {
  const std::string job = AnyJob();
  const int count = static_cast<int>(world_.Below(5));
  Insist(
      [job, count](CallId call) {
        return coordinator::ScaleJob{call, "alice", job, "rollout", count};
      },
      [](const Reply&) {});
}

void SimUsers::Maintain() {
  const std::string node = nodes_[world_.Below(nodes_.size())];
  if (world_.Chance(0.3)) {
    Insist(
        [node](CallId call) {
          return coordinator::DrainNode{call, "alice", node, absl::Seconds(20)};
        },
        [](const Reply&) {});
  }
  Later(world_.Between(absl::Seconds(1), absl::Seconds(10)), [this, node] {
    Insist(
        [node](CallId call) {
          return coordinator::CordonNode{call, "alice", node, true};
        },
        [](const Reply&) {});
  });
}

void SimUsers::CancelEverything() {
  done_ = true;
  for (const std::string& job : jobs_) Change(JobVerb::kCancel, job);
  Later(absl::Seconds(30), [this] { CancelEverything(); });
}

}  // namespace trainyard::simulation
