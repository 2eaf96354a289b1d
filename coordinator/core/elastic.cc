#include "coordinator/core/elastic.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "coordinator/core/attempt.h"
#include "coordinator/core/placement.h"
#include "coordinator/core/recovery.h"

namespace trainyard::coordinator {
namespace {

bool Runs(const Job& job) {
  return job.attempt.state == AttemptState::kStarting ||
         job.attempt.state == AttemptState::kRunning;
}

// Indexes of the role whose task lives and is not told to leave.
std::set<int> LiveIndexes(const State& state, const Job& job, const std::string& role) {
  std::set<int> indexes;
  for (uint64_t uid : job.tasks) {
    const TaskRecord& task = state.tasks.at(uid).record;
    const bool lives = Reachable(task) && !task.stop && task.attempt == job.attempt.number;
    if (lives && task.role == role) indexes.insert(task.index);
  }
  return indexes;
}

// What is free, counted when it is needed first.
class LazyRoom {
 public:
  Room& Get(const State& state) {
    if (!room_.has_value()) room_ = MakeRoom(state, Occupied::kByTasks);
    return *room_;
  }

 private:
  std::optional<Room> room_;
};

void FillRole(Draft& draft, Job& job, const RoleShape& role, FillTo fill_to, LazyRoom& room) {
  State& state = draft.state();
  const bool to_gang = fill_to == FillTo::kGang;
  const int count = to_gang ? GangCount(job.record, role) : WantedCount(job.record, role);
  const std::set<int> live = LiveIndexes(state, job, role.name);
  if (static_cast<int>(live.size()) >= count) return;
  for (int index = 0; index < count; ++index) {
    if (live.count(index) > 0) continue;
    const auto seat = job.seats.find({role.name, index});
    if (seat != job.seats.end() && seat->second.not_before > draft.now()) continue;
    const PlacementRequest request{job.record.id,
                                   {{role.name, index, &role.resources}},
                                   &job.record.shape->roots,
                                   to_gang ? nullptr : &state.reserved_nodes};
    const auto places = PlaceAll(request, room.Get(state));
    if (!places.has_value()) return;
    StartTask(draft, job, request.seats.front(), places->front());
    draft.NoteJob("task.added", job,
                  absl::StrCat(role.name, "/", index, " on ", places->front().node));
  }
}

absl::Status CheckScale(const ScaleJob& event, const Job& job) {
  const RoleShape* role = FindRole(*job.record.shape, event.role);
  if (role == nullptr || !role->elastic) {
    return absl::InvalidArgumentError(
        absl::StrCat("job ", job.record.id, " has no elastic role '", event.role, "'"));
  }
  if (event.count < 0) {
    return absl::InvalidArgumentError(absl::StrCat("count is ", event.count, ", at least 0"));
  }
  if (IsTerminal(job.record.state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.record.id, " is ", JobStateName(job.record.state)));
  }
  if (event.etag != 0 && event.etag != job.record.revision) {
    return absl::AbortedError(absl::StrCat("job ", job.record.id, " is at revision ",
                                           job.record.revision, ", not ", event.etag,
                                           ": read it again"));
  }
  return absl::OkStatus();
}

}  // namespace

void OnScaleJob(Draft& draft, const ScaleJob& event) {
  draft.SetPrincipal(event.principal);
  Job* job = draft.state().FindJobByIdOrName(event.job);
  if (job == nullptr) {
    const auto status = absl::NotFoundError(absl::StrCat("there is no job '", event.job, "'"));
    return draft.Refuse(event.call, status, "NO_SUCH_JOB");
  }
  absl::Status status = CheckScale(event, *job);
  if (status.ok() && event.count > draft.options().max_tasks_per_job) {
    status = absl::InvalidArgumentError(
        absl::StrCat("count is ", event.count, ", at most ", draft.options().max_tasks_per_job));
  }
  if (!status.ok()) return draft.Refuse(event.call, status, "CAN_NOT_SCALE");
  int& wanted = job->record.wanted[event.role];
  if (wanted != event.count) {
    draft.NoteJob("job.scaled", *job,
                  absl::StrCat(event.role, " from ", wanted, " to ", event.count));
    draft.Edit(*job).wanted[event.role] = event.count;
    draft.state().schedule = true;
    draft.Stir(job->record.id);
  }
  draft.AnswerJob(event.call, job->record.id);
}

void FillElastic(Draft& draft, FillTo fill_to) {
  State& state = draft.state();
  LazyRoom room;
  for (const std::string& id : state.active) {
    Job& job = *state.FindJob(id);
    if (!Runs(job)) continue;
    for (const RoleShape& role : job.record.shape->roles) {
      if (role.elastic) FillRole(draft, job, role, fill_to, room);
    }
  }
}

void ShrinkElastic(Draft& draft, Job& job) {
  if (!Runs(job)) return;
  for (uint64_t uid : std::set<uint64_t>(job.tasks)) {
    Task& task = *draft.state().FindTask(uid);
    const TaskRecord& record = task.record;
    if (!record.elastic || record.stop || !Reachable(record)) continue;
    const RoleShape* role = FindRole(*job.record.shape, record.role);
    if (record.index < WantedCount(job.record, *role)) continue;
    StopTask(draft, task,
             {{EndClass::kDrained, "scaled down"}, draft.options().shrink_grace, false});
    draft.NoteJob("task.removed", job, absl::StrCat(TaskName(record), " is told to leave"));
  }
}

void RecordSeat(Draft& draft, const Task& task, bool was_ready) {
  Job* job = draft.state().FindJob(task.record.job_id);
  if (!task.record.elastic || job == nullptr || job->attempt.number != task.record.attempt) return;
  SeatHistory& seat = job->seats[{task.record.role, task.record.index}];
  if (was_ready) {
    seat = {};
    return;
  }
  if (task.record.stop) return;
  ++seat.failures;
  seat.not_before = draft.now() + Backoff(draft.options(), seat.failures);
  draft.state().backoff_ends.insert(seat.not_before);
}

}  // namespace trainyard::coordinator
