#include "coordinator/store_rows.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/store_codec.h"

namespace trainyard::coordinator {
namespace {

constexpr int kSchemaVersion = 1;

// `body` is JSON; the other columns are what queries filter and sort by.
constexpr char kTables[] = R"(
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('term', 0), ('revision', 0), ('next_task_uid', 1);
CREATE TABLE jobs (
  id TEXT PRIMARY KEY, created_revision INTEGER NOT NULL, revision INTEGER NOT NULL,
  state INTEGER NOT NULL, attempt INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
  pipeline_id TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX jobs_created ON jobs (created_revision, id);
CREATE INDEX jobs_revision ON jobs (revision);
CREATE INDEX jobs_state ON jobs (state, created_revision, id);
CREATE INDEX jobs_kind ON jobs (kind, created_revision, id);
CREATE INDEX jobs_name ON jobs (name, created_revision, id);
CREATE INDEX jobs_pipeline ON jobs (pipeline_id, created_revision, id);
CREATE TABLE job_specs (
  job_id TEXT PRIMARY KEY, shape TEXT NOT NULL, spec BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE job_labels (
  key TEXT, value TEXT, job_id TEXT, PRIMARY KEY (key, value, job_id)) WITHOUT ROWID;
CREATE TABLE attempts (
  job_id TEXT, number INTEGER, body TEXT NOT NULL, PRIMARY KEY (job_id, number)) WITHOUT ROWID;
CREATE TABLE tasks (
  task_uid INTEGER PRIMARY KEY, job_id TEXT NOT NULL, attempt INTEGER NOT NULL,
  state INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX tasks_job ON tasks (job_id, attempt);
CREATE INDEX tasks_held ON tasks (task_uid) WHERE state <> 6;
CREATE TABLE nodes (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE checkpoints (
  job_id TEXT, request_id TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (job_id, request_id)) WITHOUT ROWID;
CREATE TABLE artifacts (
  job_id TEXT, name TEXT, revision INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (job_id, name)) WITHOUT ROWID;
CREATE INDEX artifacts_revision ON artifacts (revision);
CREATE TABLE pipelines (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL)
  WITHOUT ROWID;
CREATE INDEX pipelines_name ON pipelines (name, revision);
CREATE TABLE events (
  revision INTEGER, idx INTEGER, time_us INTEGER NOT NULL, principal TEXT NOT NULL,
  job_id TEXT NOT NULL, node TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY (revision, idx)) WITHOUT ROWID;
CREATE INDEX events_job ON events (job_id, revision, idx);
)";

absl::Status WriteJob(Database& db, const JobRecord& job) {
  TY_ASSIGN_OR_RETURN(Statement * row, db.Prepare(R"(
INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, state = excluded.state,
  attempt = excluded.attempt, body = excluded.body)"));
  row->Bind(job.id).Bind(job.created_revision).Bind(job.revision);
  row->Bind(static_cast<int64_t>(job.state)).Bind(job.attempt).Bind(job.shape->kind);
  row->Bind(job.name).Bind(job.pipeline_id).Bind(EncodeRecord(job));
  TY_RETURN_IF_ERROR(row->Run());
  if (job.created_revision != job.revision) return absl::OkStatus();
  TY_ASSIGN_OR_RETURN(Statement * spec, db.Prepare("INSERT INTO job_specs VALUES (?, ?, ?)"));
  spec->Bind(job.id).Bind(EncodeRecord(*job.shape)).BindBlob(*job.spec);
  TY_RETURN_IF_ERROR(spec->Run());
  for (const auto& [key, value] : job.shape->labels) {
    TY_ASSIGN_OR_RETURN(Statement * label, db.Prepare("INSERT INTO job_labels VALUES (?, ?, ?)"));
    TY_RETURN_IF_ERROR(label->Bind(key).Bind(value).Bind(job.id).Run());
  }
  return absl::OkStatus();
}

absl::Status WriteAttempt(Database& db, const AttemptRecord& attempt) {
  TY_ASSIGN_OR_RETURN(Statement * row,
                      db.Prepare("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?)"));
  return row->Bind(attempt.job_id).Bind(attempt.number).Bind(EncodeRecord(attempt)).Run();
}

absl::Status WriteTask(Database& db, const TaskRecord& task) {
  TY_ASSIGN_OR_RETURN(Statement * row,
                      db.Prepare("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?)"));
  row->Bind(static_cast<int64_t>(task.task_uid)).Bind(task.job_id).Bind(task.attempt);
  return row->Bind(static_cast<int64_t>(task.state)).Bind(EncodeRecord(task)).Run();
}

absl::Status WriteNode(Database& db, const NodeRecord& node) {
  TY_ASSIGN_OR_RETURN(Statement * row, db.Prepare("INSERT OR REPLACE INTO nodes VALUES (?, ?)"));
  return row->Bind(node.name).Bind(EncodeRecord(node)).Run();
}

absl::Status WriteCheckpoint(Database& db, const CheckpointRow& checkpoint) {
  TY_ASSIGN_OR_RETURN(Statement * row,
                      db.Prepare("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)"));
  row->Bind(checkpoint.job_id).Bind(checkpoint.request_id).Bind(checkpoint.revision);
  return row->Bind(EncodeRecord(checkpoint)).Run();
}

absl::Status RemoveCheckpoint(Database& db, const CheckpointRow& checkpoint) {
  TY_ASSIGN_OR_RETURN(Statement * row,
                      db.Prepare("DELETE FROM checkpoints WHERE job_id = ? AND request_id = ?"));
  return row->Bind(checkpoint.job_id).Bind(checkpoint.request_id).Run();
}

absl::Status WriteArtifact(Database& db, const ArtifactRow& artifact) {
  TY_ASSIGN_OR_RETURN(Statement * row,
                      db.Prepare("INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?)"));
  row->Bind(artifact.job_id).Bind(artifact.name).Bind(artifact.revision);
  return row->Bind(EncodeRecord(artifact)).Run();
}

absl::Status WritePipeline(Database& db, const PipelineRecord& pipeline) {
  TY_ASSIGN_OR_RETURN(Statement * row,
                      db.Prepare("INSERT OR REPLACE INTO pipelines VALUES (?, ?, ?, ?)"));
  row->Bind(pipeline.id).Bind(pipeline.name).Bind(pipeline.revision);
  return row->Bind(EncodeRecord(pipeline)).Run();
}

absl::Status WriteEvent(Database& db, const EventRow& event) {
  TY_ASSIGN_OR_RETURN(Statement * row,
                      db.Prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  row->Bind(event.revision).Bind(event.index).Bind(absl::ToUnixMicros(event.time));
  row->Bind(event.principal).Bind(event.job_id).Bind(event.node);
  return row->Bind(event.type).Bind(event.message).Run();
}

// Takes the revision, if the term is still ours and nothing is missing before it.
absl::Status ClaimRevision(Database& db, const Batch& batch) {
  TY_ASSIGN_OR_RETURN(Statement * claim, db.Prepare(R"(
UPDATE meta SET value = ?1 WHERE key = 'revision' AND value = ?1 - 1
  AND (SELECT value FROM meta WHERE key = 'term') = ?2)"));
  TY_RETURN_IF_ERROR(claim->Bind(batch.revision).Bind(static_cast<int64_t>(batch.term)).Run());
  if (db.changes() == 1) {
    TY_ASSIGN_OR_RETURN(Statement * uid,
                        db.Prepare("UPDATE meta SET value = ? WHERE key = 'next_task_uid'"));
    return uid->Bind(static_cast<int64_t>(batch.next_task_uid)).Run();
  }
  TY_ASSIGN_OR_RETURN(const int64_t term, db.QueryInt("SELECT value FROM meta WHERE key = 'term'"));
  TY_ASSIGN_OR_RETURN(const int64_t revision,
                      db.QueryInt("SELECT value FROM meta WHERE key = 'revision'"));
  return absl::FailedPreconditionError(
      absl::StrCat("batch of term ", batch.term, " and revision ", batch.revision,
                   " does not follow: the store is at term ", term, " and revision ", revision));
}

template <typename Rows, typename Write>
absl::Status WriteAll(Database& db, const Rows& rows, Write write) {
  for (const auto& row : rows) TY_RETURN_IF_ERROR(write(db, row));
  return absl::OkStatus();
}

template <typename Record>
absl::Status LoadAll(Database& db, const std::string& sql, std::vector<Record>& records) {
  TY_ASSIGN_OR_RETURN(Statement * rows, db.Prepare(sql));
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool row, rows->Step());
    if (!row) break;
    TY_ASSIGN_OR_RETURN(Record record, DecodeRecord<Record>(rows->Text(0)));
    records.push_back(std::move(record));
  }
  rows->Reset();
  return absl::OkStatus();
}

absl::Status LoadJobs(Database& db, std::vector<JobRecord>& jobs) {
  TY_ASSIGN_OR_RETURN(Statement * rows, db.Prepare(R"(
SELECT body, shape, spec FROM jobs JOIN job_specs ON job_id = id)"));
  while (true) {
    TY_ASSIGN_OR_RETURN(const bool row, rows->Step());
    if (!row) break;
    TY_ASSIGN_OR_RETURN(JobRecord job, AssembleJob(rows->Text(0), rows->Text(1), rows->Text(2)));
    jobs.push_back(std::move(job));
  }
  rows->Reset();
  return absl::OkStatus();
}

}  // namespace

absl::Status CreateTables(Database& database) {
  TY_ASSIGN_OR_RETURN(const int64_t version, database.QueryInt("PRAGMA user_version"));
  if (version == kSchemaVersion) return absl::OkStatus();
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat("the database has schema version ", version,
                                                      ", this program knows ", kSchemaVersion,
                                                      ": use the newer program that wrote it"));
  }
  return database.Execute(absl::StrCat("BEGIN IMMEDIATE;", kTables,
                                       "PRAGMA user_version=", kSchemaVersion, ";COMMIT;"));
}

absl::StatusOr<uint64_t> BeginTerm(Database& database) {
  TY_RETURN_IF_ERROR(database.Execute("UPDATE meta SET value = value + 1 WHERE key = 'term'"));
  TY_ASSIGN_OR_RETURN(const int64_t term,
                      database.QueryInt("SELECT value FROM meta WHERE key = 'term'"));
  return static_cast<uint64_t>(term);
}

absl::Status WriteBatch(Database& database, const Batch& batch) {
  TY_RETURN_IF_ERROR(ClaimRevision(database, batch));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.jobs, WriteJob));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.attempts, WriteAttempt));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.tasks, WriteTask));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.nodes, WriteNode));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.removed_checkpoints, RemoveCheckpoint));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.checkpoints, WriteCheckpoint));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.artifacts, WriteArtifact));
  TY_RETURN_IF_ERROR(WriteAll(database, batch.pipelines, WritePipeline));
  return WriteAll(database, batch.events, WriteEvent);
}

absl::StatusOr<JobRecord> AssembleJob(const std::string& body, const std::string& shape,
                                      std::string spec) {
  TY_ASSIGN_OR_RETURN(JobRecord job, DecodeRecord<JobRecord>(body));
  absl::StatusOr<JobShape> decoded = DecodeRecord<JobShape>(shape);
  if (!decoded.ok()) return Annotate(decoded.status(), absl::StrCat("job ", job.id));
  job.shape = std::make_shared<const JobShape>(*std::move(decoded));
  job.spec = std::make_shared<const std::string>(std::move(spec));
  return job;
}

absl::StatusOr<Snapshot> LoadSnapshot(Database& database) {
  Snapshot snapshot;
  TY_ASSIGN_OR_RETURN(const int64_t term,
                      database.QueryInt("SELECT value FROM meta WHERE key = 'term'"));
  TY_ASSIGN_OR_RETURN(snapshot.revision,
                      database.QueryInt("SELECT value FROM meta WHERE key = 'revision'"));
  TY_ASSIGN_OR_RETURN(const int64_t next_task_uid,
                      database.QueryInt("SELECT value FROM meta WHERE key = 'next_task_uid'"));
  snapshot.term = term;
  snapshot.next_task_uid = next_task_uid;
  TY_RETURN_IF_ERROR(LoadJobs(database, snapshot.jobs));
  TY_RETURN_IF_ERROR(LoadAll(database, R"(
SELECT a.body FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt)",
                             snapshot.attempts));
  TY_RETURN_IF_ERROR(LoadAll(database, R"(
SELECT body FROM tasks WHERE state <> 6 UNION ALL
SELECT t.body FROM jobs j JOIN tasks t ON t.job_id = j.id AND t.attempt = j.attempt
WHERE j.state = 3 AND t.state = 6)",
                             snapshot.tasks));
  TY_RETURN_IF_ERROR(LoadAll(database, "SELECT body FROM nodes", snapshot.nodes));
  TY_RETURN_IF_ERROR(LoadAll(database, "SELECT body FROM checkpoints", snapshot.checkpoints));
  TY_RETURN_IF_ERROR(LoadAll(database, "SELECT body FROM pipelines", snapshot.pipelines));
  return snapshot;
}

}  // namespace trainyard::coordinator
