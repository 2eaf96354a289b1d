// SQLite, wrapped just enough: connections, statements, errors as Status.

#ifndef TRAINYARD_COORDINATOR_STORE_DATABASE_H_
#define TRAINYARD_COORDINATOR_STORE_DATABASE_H_

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::coordinator {

// A prepared statement. Bind in order, then step. Owned by one thread at a time; must not outlive
// its database.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Forgets values and position.
  Statement& Reset();
  Statement& Bind(int64_t value);
  Statement& Bind(absl::string_view text);
  Statement& BindBlob(absl::string_view bytes);

  // True when there is a row, false at the end.
  absl::StatusOr<bool> Step();
  // Runs a statement that yields no rows.
  absl::Status Run();

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string Text(int column) const;  // also of blobs

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

// A connection. Owned by one thread at a time.
class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  // WAL. A writer syncs each commit to the disk (synchronous=FULL).
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs any number of statements without results.
  absl::Status Execute(const std::string& sql);
  // A statement of this text, reset; prepared once and kept.
  absl::StatusOr<Statement*> Prepare(const std::string& sql);
  // The only column of the only row.
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);
  // Rows changed by the last statement.
  int changes() const { return sqlite3_changes(db_); }

 private:
  explicit Database(sqlite3* db) : db_(db) {}

  sqlite3* db_;
  std::map<std::string, std::unique_ptr<Statement>> statements_;
};

// The status of SQLite's last error on the connection: ResourceExhausted when there is no space,
// DataLoss when the file is damaged, Unavailable when it is locked, else Internal.
absl::Status SqliteStatus(sqlite3* db, absl::string_view what);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STORE_DATABASE_H_
