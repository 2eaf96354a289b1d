#include "coordinator/store_queries.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/store_codec.h"
#include "coordinator/store_rows.h"

namespace trainyard::coordinator {
namespace {

constexpr int kLargestPage = 500;
constexpr int64_t kLastRevision = std::numeric_limits<int64_t>::max();
constexpr char kJobColumns[] = "SELECT body, shape, spec FROM jobs JOIN job_specs ON job_id = id ";

// Takes each row; the statement holds no snapshot afterwards.
template <typename Take>
absl::Status ForEachRow(Statement& statement, Take take) {
  absl::Status status;
  while (status.ok()) {
    const absl::StatusOr<bool> row = statement.Step();
    if (!row.ok()) status = row.status();
    if (!row.ok() || !*row) break;
    status = take(statement);
  }
  statement.Reset();
  return status;
}

template <typename Record>
absl::StatusOr<std::vector<Record>> Records(Statement& statement) {
  std::vector<Record> records;
  TY_RETURN_IF_ERROR(ForEachRow(statement, [&](Statement& row) -> absl::Status {
    TY_ASSIGN_OR_RETURN(Record record, DecodeRecord<Record>(row.Text(0)));
    records.push_back(std::move(record));
    return absl::OkStatus();
  }));
  return records;
}

absl::StatusOr<std::vector<JobRecord>> Jobs(Statement& statement) {
  std::vector<JobRecord> jobs;
  TY_RETURN_IF_ERROR(ForEachRow(statement, [&](Statement& row) -> absl::Status {
    TY_ASSIGN_OR_RETURN(JobRecord job, AssembleJob(row.Text(0), row.Text(1), row.Text(2)));
    jobs.push_back(std::move(job));
    return absl::OkStatus();
  }));
  return jobs;
}

template <typename Record>
absl::StatusOr<Record> Only(absl::StatusOr<std::vector<Record>> records, const std::string& what) {
  if (!records.ok()) return records.status();
  if (records->empty()) return absl::NotFoundError(absl::StrCat("there is no ", what));
  return std::move(records->front());
}

// The WHERE clause of a filter, and its values in order.
std::string Where(const JobFilter& filter, std::vector<std::string>& values) {
  std::string where = "WHERE (created_revision, id) < (?, ?) ";
  const auto equal = [&](const char* column, const std::string& value) {
    if (value.empty()) return;
    absl::StrAppend(&where, "AND ", column, " = ? ");
    values.push_back(value);
  };
  if (filter.state.has_value()) {
    absl::StrAppend(&where, "AND state = ", static_cast<int>(*filter.state), " ");
  }
  equal("kind", filter.kind);
  equal("name", filter.name);
  equal("pipeline_id", filter.pipeline_id);
  for (const auto& [key, value] : filter.labels) {
    absl::StrAppend(&where,
                    "AND id IN (SELECT job_id FROM job_labels WHERE key = ? AND value = ?) ");
    values.push_back(key);
    values.push_back(value);
  }
  return where;
}

// One snapshot for several statements.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database) : database_(database) {}
  ~ReadTransaction() { database_.Execute("COMMIT").IgnoreError(); }
  absl::Status Begin() { return database_.Execute("BEGIN"); }

 private:
  Database& database_;
};

}  // namespace

std::string PageKey(int64_t created_revision, const std::string& id) {
  return absl::StrCat(created_revision, "~", id);
}

absl::StatusOr<std::pair<int64_t, std::string>> ParsePageKey(const std::string& key) {
  const size_t split = key.find('~');
  int64_t revision = 0;
  if (split == std::string::npos || !absl::SimpleAtoi(key.substr(0, split), &revision)) {
    return absl::InvalidArgumentError(
        absl::StrCat("page token '", key, "' was not made by this coordinator: start again"));
  }
  return std::make_pair(revision, key.substr(split + 1));
}

absl::StatusOr<JobRecord> QueryJob(Database& database, const std::string& id) {
  TY_ASSIGN_OR_RETURN(Statement * rows,
                      database.Prepare(absl::StrCat(kJobColumns, "WHERE id = ?")));
  return Only(Jobs(rows->Bind(id)), absl::StrCat("job '", id, "'"));
}

absl::StatusOr<JobRecord> QueryJobNamed(Database& database, const std::string& id_or_name) {
  absl::StatusOr<JobRecord> job = QueryJob(database, id_or_name);
  if (job.ok() || !absl::IsNotFound(job.status())) return job;
  TY_ASSIGN_OR_RETURN(
      Statement * rows,
      database.Prepare(absl::StrCat(
          kJobColumns, "WHERE name = ? ORDER BY created_revision DESC, id DESC LIMIT 1")));
  return Only(Jobs(rows->Bind(id_or_name)), absl::StrCat("job '", id_or_name, "'"));
}

absl::StatusOr<PipelineRecord> QueryPipeline(Database& database, const std::string& id_or_name) {
  TY_ASSIGN_OR_RETURN(Statement * rows, database.Prepare(R"(
SELECT body FROM pipelines WHERE id = ?1 OR name = ?1
ORDER BY id = ?1 DESC, revision DESC LIMIT 1)"));
  return Only(Records<PipelineRecord>(rows->Bind(id_or_name)),
              absl::StrCat("pipeline '", id_or_name, "'"));
}

absl::StatusOr<TaskRecord> QueryTask(Database& database, uint64_t task_uid) {
  TY_ASSIGN_OR_RETURN(Statement * rows,
                      database.Prepare("SELECT body FROM tasks WHERE task_uid = ?"));
  return Only(Records<TaskRecord>(rows->Bind(static_cast<int64_t>(task_uid))),
              absl::StrCat("task ", task_uid));
}

absl::StatusOr<JobPage> QueryJobs(Database& database, const JobFilter& filter,
                                  const PageRequest& page) {
  std::pair<int64_t, std::string> after{kLastRevision, ""};
  if (!page.after.empty()) {
    TY_ASSIGN_OR_RETURN(after, ParsePageKey(page.after));
  }
  const int size = std::clamp(page.size > 0 ? page.size : 50, 1, kLargestPage);
  std::vector<std::string> values;
  const std::string where = Where(filter, values);
  ReadTransaction transaction(database);
  TY_RETURN_IF_ERROR(transaction.Begin());
  JobPage result;
  TY_ASSIGN_OR_RETURN(result.revision,
                      database.QueryInt("SELECT value FROM meta WHERE key = 'revision'"));
  TY_ASSIGN_OR_RETURN(Statement * rows,
                      database.Prepare(absl::StrCat(
                          kJobColumns, where, "ORDER BY created_revision DESC, id DESC LIMIT ?")));
  rows->Bind(after.first).Bind(after.second);
  for (const std::string& value : values) rows->Bind(value);
  TY_ASSIGN_OR_RETURN(result.jobs, Jobs(rows->Bind(size + 1)));
  if (static_cast<int>(result.jobs.size()) > size) {
    result.jobs.pop_back();
    result.next = PageKey(result.jobs.back().created_revision, result.jobs.back().id);
  }
  return result;
}

absl::StatusOr<std::vector<AttemptRecord>> QueryAttempts(Database& database,
                                                         const std::string& job) {
  TY_ASSIGN_OR_RETURN(
      Statement * rows,
      database.Prepare("SELECT body FROM attempts WHERE job_id = ? ORDER BY number"));
  return Records<AttemptRecord>(rows->Bind(job));
}

absl::StatusOr<std::vector<TaskRecord>> QueryTasks(Database& database, const std::string& job,
                                                   int attempt) {
  TY_ASSIGN_OR_RETURN(Statement * rows,
                      database.Prepare("SELECT body FROM tasks WHERE job_id = ? AND attempt = ?"));
  TY_ASSIGN_OR_RETURN(std::vector<TaskRecord> tasks,
                      Records<TaskRecord>(rows->Bind(job).Bind(attempt)));
  std::sort(tasks.begin(), tasks.end(), [](const TaskRecord& a, const TaskRecord& b) {
    return std::tie(a.role, a.index, a.task_uid) < std::tie(b.role, b.index, b.task_uid);
  });
  return tasks;
}

absl::StatusOr<std::vector<CheckpointRow>> QueryCheckpoints(Database& database,
                                                            const std::string& job) {
  TY_ASSIGN_OR_RETURN(
      Statement * rows,
      database.Prepare("SELECT body FROM checkpoints WHERE job_id = ? ORDER BY revision DESC"));
  return Records<CheckpointRow>(rows->Bind(job));
}

absl::StatusOr<std::vector<ArtifactRow>> QueryArtifacts(Database& database,
                                                        const std::string& job) {
  TY_ASSIGN_OR_RETURN(
      Statement * rows,
      database.Prepare("SELECT body FROM artifacts WHERE job_id = ? ORDER BY name"));
  return Records<ArtifactRow>(rows->Bind(job));
}

absl::StatusOr<std::vector<ArtifactRow>> QueryAllArtifacts(Database& database, int limit) {
  TY_ASSIGN_OR_RETURN(
      Statement * rows,
      database.Prepare("SELECT body FROM artifacts ORDER BY revision DESC, name LIMIT ?"));
  return Records<ArtifactRow>(rows->Bind(limit));
}

absl::StatusOr<std::map<std::string, int64_t>> QueryJobCounts(Database& database) {
  TY_ASSIGN_OR_RETURN(Statement * rows,
                      database.Prepare("SELECT state, COUNT(*) FROM jobs GROUP BY state"));
  std::map<std::string, int64_t> counts;
  TY_RETURN_IF_ERROR(ForEachRow(*rows, [&](Statement& row) {
    counts[std::string(JobStateName(static_cast<JobState>(row.Int(0))))] = row.Int(1);
    return absl::OkStatus();
  }));
  return counts;
}

absl::StatusOr<EventPage> QueryEvents(Database& database, int64_t revision, const std::string& job,
                                      int limit) {
  // The page ends with the revision of its limit-th event, so that none is cut in two.
  const std::string of_job = job.empty() ? "" : "AND job_id = ?2 ";
  TY_ASSIGN_OR_RETURN(
      Statement * rows,
      database.Prepare(absl::StrCat(
          "SELECT revision, idx, time_us, principal, job_id, node, type, message FROM events ",
          "WHERE revision > ?1 ", of_job, "AND revision <= IFNULL((SELECT revision FROM events ",
          "WHERE revision > ?1 ", of_job, "ORDER BY revision, idx LIMIT 1 OFFSET ",
          std::max(limit, 1) - 1, "), ", kLastRevision, ") ORDER BY revision, idx")));
  rows->Bind(revision);
  if (!job.empty()) rows->Bind(job);
  EventPage page;
  page.next_revision = revision;
  TY_RETURN_IF_ERROR(ForEachRow(*rows, [&](Statement& row) {
    page.events.push_back({row.Int(0), static_cast<int>(row.Int(1)),
                           absl::FromUnixMicros(row.Int(2)), row.Text(3), row.Text(4), row.Text(5),
                           row.Text(6), row.Text(7)});
    return absl::OkStatus();
  }));
  if (!page.events.empty()) page.next_revision = page.events.back().revision;
  page.more = static_cast<int>(page.events.size()) >= limit;
  return page;
}

absl::StatusOr<std::vector<JobRecord>> QueryJobsChanged(Database& database, int64_t revision,
                                                        int limit) {
  TY_ASSIGN_OR_RETURN(
      Statement * rows,
      database.Prepare(absl::StrCat(
          kJobColumns, "WHERE revision > ?1 AND revision <= IFNULL((SELECT revision FROM jobs ",
          "WHERE revision > ?1 ORDER BY revision LIMIT 1 OFFSET ", std::max(limit, 1) - 1,
          "), ", kLastRevision, ") ORDER BY revision, id")));
  return Jobs(rows->Bind(revision));
}

}  // namespace trainyard::coordinator
