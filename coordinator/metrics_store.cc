#include "coordinator/metrics_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "base/bounded_queue.h"
#include "base/log.h"
#include "base/status.h"

namespace trainyard::coordinator {
namespace {

constexpr absl::Duration kMaintenanceInterval = absl::Hours(1);

constexpr char kSchema[] = R"(
CREATE TABLE IF NOT EXISTS points (
  job TEXT NOT NULL, step INTEGER NOT NULL, time_us INTEGER NOT NULL, packed BLOB NOT NULL,
  PRIMARY KEY (job, step)) WITHOUT ROWID;
DROP INDEX IF EXISTS points_by_second;
CREATE INDEX IF NOT EXISTS points_by_minute ON points (job, time_us / 60000000, step);
)";

// ---- Packed rows: for each value a length byte, its name, 8 bytes of the double ----

std::string Pack(const std::map<std::string, double>& values) {
  std::string packed;
  for (const auto& [name, value] : values) {
    const size_t length = std::min<size_t>(name.size(), 255);
    packed.push_back(static_cast<char>(length));
    packed.append(name, 0, length);
    packed.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return packed;
}

std::map<std::string, double> Unpack(absl::string_view packed) {
  std::map<std::string, double> values;
  while (!packed.empty()) {
    const size_t length = static_cast<unsigned char>(packed[0]);
    if (packed.size() < 1 + length + sizeof(double)) break;
    double value = 0;
    std::memcpy(&value, packed.data() + 1 + length, sizeof(value));
    values[std::string(packed.substr(1, length))] = value;
    packed.remove_prefix(1 + length + sizeof(double));
  }
  return values;
}

bool OfValidation(const std::map<std::string, double>& values) {
  const auto first = values.lower_bound("eval_");
  return first != values.end() && absl::StartsWith(first->first, "eval_");
}

// One connection with its statements. Owned by whoever holds it.
class Database {
 public:
  ~Database() { sqlite3_close_v2(db_); }

  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path) {
    std::unique_ptr<Database> database(new Database);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &database->db_, flags, nullptr) != SQLITE_OK) {
      return database->Failure(absl::StrCat("metrics ", path));
    }
    sqlite3_busy_timeout(database->db_, 10000);
    TY_RETURN_IF_ERROR(database->Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"));
    TY_RETURN_IF_ERROR(database->Run(kSchema));
    return database;
  }

  absl::Status Run(const std::string& sql) {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
      return absl::OkStatus();
    }
    return Failure("metrics");
  }

  absl::Status Failure(absl::string_view what) const {
    const std::string text =
        absl::StrCat(what, ": ", db_ == nullptr ? "out of memory" : sqlite3_errmsg(db_));
    return sqlite3_errcode(db_) == SQLITE_FULL ? absl::ResourceExhaustedError(text)
                                               : absl::UnavailableError(text);
  }

  sqlite3* get() const { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

// A prepared statement; finalised with the scope.
class Statement {
 public:
  Statement(const Database& database, const char* sql) {
    sqlite3_prepare_v2(database.get(), sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void Bind(int at, int64_t value) { sqlite3_bind_int64(statement_, at, value); }
  void Bind(int at, const std::string& value) {
    sqlite3_bind_text(statement_, at, value.data(), value.size(), SQLITE_TRANSIENT);
  }
  void BindBlob(int at, const std::string& value) {
    sqlite3_bind_blob(statement_, at, value.data(), value.size(), SQLITE_TRANSIENT);
  }
  // SQLITE_ROW, SQLITE_DONE or an error.
  int Step() { return sqlite3_step(statement_); }
  void Reset() { sqlite3_reset(statement_); }
  int64_t Int(int column) { return sqlite3_column_int64(statement_, column); }
  std::string Blob(int column) {
    const void* bytes = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

class SqliteMetricsStore : public MetricsStore {
 public:
  SqliteMetricsStore(MetricsStoreOptions options, const Clock& clock,
                     std::unique_ptr<Database> writer, std::unique_ptr<Database> reader)
      : options_(std::move(options)),
        clock_(clock),
        queue_(options_.queue_capacity),
        writer_(std::move(writer)),
        reader_(std::move(reader)),
        thread_([this] { Write(); }) {}

  ~SqliteMetricsStore() override {
    queue_.Close();
    thread_.join();
  }

  void Add(const std::string& job_id, MetricPoint point) override {
    if (!queue_.TryPush({job_id, std::move(point), nullptr})) ++dropped_;
  }

  absl::StatusOr<std::vector<MetricPoint>> Read(const std::string& job_id, int64_t from_step,
                                                int max_points) const override {
    absl::MutexLock lock(&read_mutex_);
    Statement count(*reader_, "SELECT count(*) FROM points WHERE job = ? AND step >= ?");
    count.Bind(1, job_id);
    count.Bind(2, from_step);
    if (count.Step() != SQLITE_ROW) return reader_->Failure("metrics");
    const int64_t total = count.Int(0);
    const int64_t stride = std::max<int64_t>(1, (total + max_points - 1) / max_points);
    Statement select(*reader_,
                     "SELECT step, time_us, packed FROM points "
                     "WHERE job = ? AND step >= ? ORDER BY step");
    select.Bind(1, job_id);
    select.Bind(2, from_step);
    std::vector<MetricPoint> points;
    int64_t row = 0;
    int result = select.Step();
    for (; result == SQLITE_ROW; result = select.Step(), ++row) {
      // Counted from the end, so that the newest point is always there.
      if ((total - 1 - row) % stride != 0) continue;
      points.push_back(
          {select.Int(0), absl::FromUnixMicros(select.Int(1)), Unpack(select.Blob(2))});
    }
    if (result != SQLITE_DONE) return reader_->Failure("metrics");
    return points;
  }

  absl::Status Maintain() override { return Ask(&SqliteMetricsStore::MaintainNow); }
  absl::Status Flush() override { return Ask(&SqliteMetricsStore::Nothing); }
  int64_t dropped() const override { return dropped_.load(); }

 private:
  // A question for the writer's thread, answered when what stood before it is written.
  struct Question {
    absl::Status (SqliteMetricsStore::*run)();
    absl::Mutex mutex;
    bool done ABSL_GUARDED_BY(mutex) = false;
    absl::Status answer ABSL_GUARDED_BY(mutex);
  };
  struct Item {
    std::string job_id;
    MetricPoint point;
    std::shared_ptr<Question> question;
  };
  // The newest row of a job.
  struct Newest {
    int64_t step = 0;
    absl::Time kept_at;        // when the interval began that it lies in
    bool provisional = false;  // the next step takes its place
  };
  // Of one group.
  struct Statements {
    explicit Statements(const Database& database)
        : find(database, "SELECT packed FROM points WHERE job = ? AND step = ?"),
          put(database, "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?)"),
          drop(database, "DELETE FROM points WHERE job = ? AND step = ?"),
          newest(database,
                 "SELECT step, time_us FROM points WHERE job = ? ORDER BY step DESC LIMIT 1") {}
    Statement find, put, drop, newest;
  };

  absl::Status Nothing() { return absl::OkStatus(); }

  absl::Status Ask(absl::Status (SqliteMetricsStore::*run)()) {
    auto question = std::make_shared<Question>();
    question->run = run;
    if (!queue_.Push({"", {}, question}, absl::Seconds(30))) {
      return absl::UnavailableError("the metrics queue is full or closed");
    }
    absl::MutexLock lock(&question->mutex);
    question->mutex.Await(absl::Condition(&question->done));
    return question->answer;
  }

  void Write() {
    absl::Duration next_maintenance = clock_.Monotonic() + kMaintenanceInterval;
    while (auto item = queue_.Pop(absl::InfiniteDuration())) {
      std::vector<Item> group;
      group.push_back(std::move(*item));
      for (Item& more : queue_.PopAll()) group.push_back(std::move(more));
      WriteGroup(group);
      for (const Item& one : group) Answer(one);
      if (clock_.Monotonic() < next_maintenance) continue;
      const absl::Status status = MaintainNow();
      if (!status.ok()) Log().warn("metrics are not thinned: {}", std::string(status.message()));
      next_maintenance = clock_.Monotonic() + kMaintenanceInterval;
    }
  }

  void Answer(const Item& item) {
    if (item.question == nullptr) return;
    const absl::Status answer = (this->*item.question->run)();
    absl::MutexLock lock(&item.question->mutex);
    item.question->answer = answer;
    item.question->done = true;
  }

  void WriteGroup(const std::vector<Item>& group) {
    absl::Status status = writer_->Run("BEGIN IMMEDIATE");
    int64_t points = 0;
    if (status.ok()) {
      Statements statements(*writer_);
      for (const Item& item : group) {
        if (item.question != nullptr) continue;
        ++points;
        if (status.ok()) status = WritePoint(item, statements);
      }
      const absl::Status end = writer_->Run(status.ok() ? "COMMIT" : "ROLLBACK");
      if (status.ok()) status = end;
    }
    if (status.ok()) return;
    newest_.clear();  // what it remembers was rolled back
    dropped_ += points;
    Log().warn("{} points of metrics are lost: {}", points, std::string(status.message()));
  }

  absl::Status WritePoint(const Item& item, Statements& statements) {
    std::map<std::string, double> values = item.point.values;
    statements.find.Bind(1, item.job_id);
    statements.find.Bind(2, item.point.step);
    // What was reported before of the same step stays; a value reported again is replaced.
    if (statements.find.Step() == SQLITE_ROW) values.merge(Unpack(statements.find.Blob(0)));
    statements.find.Reset();
    TY_RETURN_IF_ERROR(Thin(item, OfValidation(values), statements));
    statements.put.Bind(1, item.job_id);
    statements.put.Bind(2, item.point.step);
    statements.put.Bind(3, absl::ToUnixMicros(item.point.time));
    statements.put.BindBlob(4, Pack(values));
    const int result = statements.put.Step();
    statements.put.Reset();
    return result == SQLITE_DONE ? absl::OkStatus() : writer_->Failure("metrics");
  }

  // Makes room for the point: drops the row that it stands for.
  absl::Status Thin(const Item& item, bool of_validation, Statements& statements) {
    std::optional<Newest> last = NewestOf(item.job_id, statements);
    const int64_t step = item.point.step;
    const absl::Time time = item.point.time;
    if (last.has_value() && last->step == step) {
      newest_[item.job_id] = {step, last->kept_at, last->provisional && !of_validation};
      return absl::OkStatus();
    }
    // A clock that was put back begins a new interval.
    const bool due = !last.has_value() || time < last->kept_at ||
                     time - last->kept_at >= options_.row_interval;
    newest_[item.job_id] = {step, due ? time : last->kept_at, !due && !of_validation};
    if (!last.has_value() || !last->provisional) return absl::OkStatus();
    statements.drop.Bind(1, item.job_id);
    statements.drop.Bind(2, last->step);
    const int result = statements.drop.Step();
    statements.drop.Reset();
    return result == SQLITE_DONE ? absl::OkStatus() : writer_->Failure("metrics");
  }

  // From memory, after a start from the disk; nothing when the job has no row.
  std::optional<Newest> NewestOf(const std::string& job_id, Statements& statements) {
    const auto known = newest_.find(job_id);
    if (known != newest_.end()) return known->second;
    std::optional<Newest> stored;
    statements.newest.Bind(1, job_id);
    if (statements.newest.Step() == SQLITE_ROW) {
      stored = {statements.newest.Int(0), absl::FromUnixMicros(statements.newest.Int(1)), false};
    }
    statements.newest.Reset();
    return stored;
  }

  absl::Status MaintainNow() {
    const int64_t cutoff = absl::ToUnixMicros(clock_.Now() - options_.full_rows_for);
    TY_RETURN_IF_ERROR(writer_->Run(absl::StrFormat(
        "DELETE FROM points AS p WHERE time_us < %d AND instr(packed, CAST('eval_' AS BLOB)) = 0 "
        "AND EXISTS (SELECT 1 FROM points AS q WHERE q.job = p.job AND "
        "q.time_us / 60000000 = p.time_us / 60000000 AND q.step > p.step) "
        "AND EXISTS (SELECT 1 FROM points AS f WHERE f.job = p.job AND f.step < p.step)",
        cutoff)));
    newest_.clear();  // rows of long ago may be gone
    for (;;) {
      TY_ASSIGN_OR_RETURN(const int64_t size, UsedBytes());
      if (size <= options_.max_size_bytes) return absl::OkStatus();
      TY_RETURN_IF_ERROR(
          writer_->Run("DELETE FROM points WHERE job = (SELECT job FROM points GROUP BY job "
                       "ORDER BY max(time_us) LIMIT 1)"));
      if (sqlite3_changes(writer_->get()) == 0) return absl::OkStatus();
    }
  }

  absl::StatusOr<int64_t> UsedBytes() {
    Statement pages(*writer_,
                    "SELECT (page_count - freelist_count) * page_size FROM "
                    "pragma_page_count, pragma_freelist_count, pragma_page_size");
    if (pages.Step() != SQLITE_ROW) return writer_->Failure("metrics");
    return pages.Int(0);
  }

  const MetricsStoreOptions options_;
  const Clock& clock_;
  BoundedQueue<Item> queue_;
  const std::unique_ptr<Database> writer_;  // the writer's thread only
  std::map<std::string, Newest> newest_;    // by job; the writer's thread only
  mutable absl::Mutex read_mutex_;
  const std::unique_ptr<Database> reader_ ABSL_PT_GUARDED_BY(read_mutex_);
  std::atomic<int64_t> dropped_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsStore>> MetricsStore::Open(MetricsStoreOptions options,
                                                                 const Clock& clock) {
  TY_ASSIGN_OR_RETURN(auto writer, Database::Open(options.path));
  TY_ASSIGN_OR_RETURN(auto reader, Database::Open(options.path));
  return std::make_unique<SqliteMetricsStore>(std::move(options), clock, std::move(writer),
                                              std::move(reader));
}

}  // namespace trainyard::coordinator
