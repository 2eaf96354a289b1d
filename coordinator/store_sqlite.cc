#include "coordinator/store_sqlite.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/atomic_file.h"
#include "base/bounded_queue.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/store_database.h"
#include "coordinator/store_queries.h"
#include "coordinator/store_reserve.h"
#include "coordinator/store_rows.h"

namespace trainyard::coordinator {
namespace {

constexpr int kReaders = 4;
constexpr absl::Duration kReaderWait = absl::Seconds(30);
constexpr absl::Duration kQueueWait = absl::Seconds(60);
// How often a writer without work looks whether the disk has room again.
constexpr absl::Duration kIdle = absl::Seconds(1);

class SqliteStore : public Store {
 public:
  struct Parts {
    int lock_fd;
    uint64_t term;
    int64_t revision;
    std::unique_ptr<Database> writer;
    std::vector<std::unique_ptr<Database>> readers;
  };

  SqliteStore(SqliteStoreOptions options, Parts parts)
      : options_(std::move(options)),
        lock_fd_(parts.lock_fd),
        term_(parts.term),
        durable_revision_(parts.revision),
        writer_(std::move(parts.writer)),
        reserve_({options_.state_dir + "/reserve", options_.reserve_bytes, options_.max_size_bytes},
                 writer_.get()),
        readers_(kReaders),
        queue_(options_.queue_capacity) {
    for (auto& reader : parts.readers) readers_.TryPush(std::move(reader));
    reserve_.Fill();
    PublishReadOnly();
    thread_ = std::thread([this] { Run(); });
  }

  ~SqliteStore() override {
    queue_.Close();
    thread_.join();
    close(lock_fd_);
  }

  uint64_t term() const override { return term_; }

  absl::StatusOr<Snapshot> Load() override {
    return Read([](Database& db) { return LoadSnapshot(db); });
  }

  void Write(std::shared_ptr<const Batch> batch) override {
    if (!queue_.Push(std::move(batch), kQueueWait)) {
      // The writer is stuck or gone; it has told why, or the disk does not answer.
      Log().error("the store takes no more batches: {} are waiting", queue_.size());
    }
  }

  std::string read_only_reason() const override {
    absl::MutexLock lock(&mutex_);
    return read_only_reason_;
  }

  int64_t durable_revision() const override { return durable_revision_.load(); }

  absl::StatusOr<JobRecord> GetJob(const std::string& id) const override {
    return Read([&](Database& db) { return QueryJob(db, id); });
  }
  absl::StatusOr<JobRecord> FindJob(const std::string& id_or_name) const override {
    return Read([&](Database& db) { return QueryJobNamed(db, id_or_name); });
  }
  absl::StatusOr<PipelineRecord> FindPipeline(const std::string& id_or_name) const override {
    return Read([&](Database& db) { return QueryPipeline(db, id_or_name); });
  }
  absl::StatusOr<TaskRecord> GetTask(uint64_t task_uid) const override {
    return Read([&](Database& db) { return QueryTask(db, task_uid); });
  }
  absl::StatusOr<JobPage> ListJobs(const JobFilter& filter,
                                   const PageRequest& page) const override {
    return Read([&](Database& db) { return QueryJobs(db, filter, page); });
  }
  absl::StatusOr<std::vector<AttemptRecord>> ListAttempts(const std::string& job) const override {
    return Read([&](Database& db) { return QueryAttempts(db, job); });
  }
  absl::StatusOr<std::vector<TaskRecord>> ListTasks(const std::string& job,
                                                    int attempt) const override {
    return Read([&](Database& db) { return QueryTasks(db, job, attempt); });
  }
  absl::StatusOr<std::vector<CheckpointRow>> ListCheckpoints(
      const std::string& job) const override {
    return Read([&](Database& db) { return QueryCheckpoints(db, job); });
  }
  absl::StatusOr<std::vector<ArtifactRow>> ListArtifacts(const std::string& job) const override {
    return Read([&](Database& db) { return QueryArtifacts(db, job); });
  }
  absl::StatusOr<std::vector<ArtifactRow>> ListAllArtifacts(int limit) const override {
    return Read([&](Database& db) { return QueryAllArtifacts(db, limit); });
  }
  absl::StatusOr<std::map<std::string, int64_t>> CountJobsByState() const override {
    return Read([&](Database& db) { return QueryJobCounts(db); });
  }
  absl::StatusOr<EventPage> EventsSince(int64_t revision, const std::string& job,
                                        int limit) const override {
    return Read([&](Database& db) { return QueryEvents(db, revision, job, limit); });
  }
  absl::StatusOr<std::vector<JobRecord>> JobsChangedSince(int64_t revision,
                                                          int limit) const override {
    return Read([&](Database& db) { return QueryJobsChanged(db, revision, limit); });
  }

 private:
  using Group = std::vector<std::shared_ptr<const Batch>>;

  // Lends one of the readers to `query`.
  template <typename Query>
  auto Read(Query query) const -> decltype(query(std::declval<Database&>())) {
    std::optional<std::unique_ptr<Database>> reader = readers_.Pop(kReaderWait);
    if (!reader.has_value()) {
      return absl::UnavailableError("every reader of the store is busy: try again");
    }
    auto result = query(**reader);
    readers_.TryPush(*std::move(reader));
    return result;
  }

  void Run() {
    while (true) {
      std::optional<std::shared_ptr<const Batch>> first = queue_.Pop(kIdle);
      if (!first.has_value()) {
        if (queue_.closed()) return;
        if (failed_) continue;
        reserve_.Fill();
        PublishReadOnly();
        continue;
      }
      Group group{*std::move(first)};
      for (auto& batch : queue_.PopAll()) group.push_back(std::move(batch));
      if (!failed_) Commit(group);
    }
  }

  // One transaction, one sync, however many batches wait.
  void Commit(const Group& group) {
    absl::Status status = TryCommit(group);
    if (absl::IsResourceExhausted(status) && reserve_.Release()) {
      Log().error("no space for the coordinator's state ({}): no new work is taken",
                  std::string(status.message()));
      status = TryCommit(group);
    }
    PublishReadOnly();
    if (!status.ok()) {
      failed_ = true;
      options_.on_durable(Annotate(status, absl::StrCat("state in ", options_.state_dir)));
      return;
    }
    durable_revision_.store(group.back()->revision);
    options_.on_durable(group.back()->revision);
  }

  absl::Status TryCommit(const Group& group) {
    absl::Status status = writer_->Execute("BEGIN IMMEDIATE");
    for (const auto& batch : group) {
      if (status.ok()) status = WriteBatch(*writer_, *batch);
    }
    if (status.ok()) status = writer_->Execute("COMMIT");
    // A transaction that failed may have been rolled back by SQLite itself.
    if (!status.ok()) writer_->Execute("ROLLBACK").IgnoreError();
    return status;
  }

  void PublishReadOnly() {
    std::string reason = reserve_.missing_reason();
    absl::MutexLock lock(&mutex_);
    read_only_reason_ = std::move(reason);
  }

  const SqliteStoreOptions options_;
  const int lock_fd_;
  const uint64_t term_;
  std::atomic<int64_t> durable_revision_;

  // Of the writer's thread.
  const std::unique_ptr<Database> writer_;
  DiskReserve reserve_;
  bool failed_ = false;

  mutable BoundedQueue<std::unique_ptr<Database>> readers_;
  BoundedQueue<std::shared_ptr<const Batch>> queue_;
  mutable absl::Mutex mutex_;
  std::string read_only_reason_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Holds the directory for this process. FailedPrecondition names the holder.
absl::StatusOr<int> LockDirectory(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char holder[128] = {};
    if (read(fd, holder, sizeof(holder) - 1) <= 0) holder[0] = '\0';
    close(fd);
    return absl::FailedPreconditionError(
        absl::StrCat("state directory ", directory, " is in use by ", holder,
                     ": stop that coordinator first, or give this one another directory"));
  }
  const std::string self = absl::StrCat("process ", getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, self.data(), self.size(), 0) < 0) {
    Log().warn("could not write {}", path);
  }
  return fd;
}

absl::Status CheckFilesystem(const std::string& directory) {
  struct statfs filesystem = {};
  if (statfs(directory.c_str(), &filesystem) != 0) return ErrnoStatus(errno, directory);
  if (!IsNetworkFilesystem(filesystem.f_type)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("state directory ", directory,
                   " is on a network file system, whose locks and syncs can not be trusted: use a "
                   "local disk"));
}

absl::StatusOr<SqliteStore::Parts> OpenParts(const SqliteStoreOptions& options, int lock_fd) {
  const std::string path = options.state_dir + "/state.db";
  SqliteStore::Parts parts{lock_fd};
  TY_ASSIGN_OR_RETURN(parts.writer, Database::Open(path, Database::Mode::kReadWrite));
  TY_RETURN_IF_ERROR(Annotate(CreateTables(*parts.writer), path));
  TY_ASSIGN_OR_RETURN(parts.term, BeginTerm(*parts.writer));
  TY_ASSIGN_OR_RETURN(parts.revision,
                      parts.writer->QueryInt("SELECT value FROM meta WHERE key = 'revision'"));
  for (int i = 0; i < kReaders; ++i) {
    TY_ASSIGN_OR_RETURN(auto reader, Database::Open(path, Database::Mode::kReadOnly));
    parts.readers.push_back(std::move(reader));
  }
  return parts;
}

}  // namespace

bool IsNetworkFilesystem(int64_t type) {
  // Of statfs(2): NFS, Lustre, CIFS, SMB2, AFS, Ceph, GPFS, BeeGFS, GFS2, OCFS2, 9P.
  switch (static_cast<uint32_t>(type)) {
    case 0x00006969:
    case 0x0BD00BD0:
    case 0xFF534D42:
    case 0xFE534D42:
    case 0x5346414F:
    case 0x00C36400:
    case 0x47504653:
    case 0x19830326:
    case 0x01161970:
    case 0x7461636F:
    case 0x01021997:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteStoreOptions options) {
  TY_RETURN_IF_ERROR(MakeDirectories(options.state_dir));
  if (chmod(options.state_dir.c_str(), 0700) != 0) return ErrnoStatus(errno, options.state_dir);
  TY_RETURN_IF_ERROR(CheckFilesystem(options.state_dir));
  TY_ASSIGN_OR_RETURN(const int lock_fd, LockDirectory(options.state_dir));
  absl::StatusOr<SqliteStore::Parts> parts = OpenParts(options, lock_fd);
  if (!parts.ok()) {
    close(lock_fd);
    return parts.status();
  }
  return std::make_unique<SqliteStore>(std::move(options), *std::move(parts));
}

}  // namespace trainyard::coordinator
