#include "coordinator/store_database.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::coordinator {
namespace {

constexpr int kBusyMs = 5000;

}  // namespace

absl::Status SqliteStatus(sqlite3* db, absl::string_view what) {
  const std::string message = absl::StrCat(what, ": ", sqlite3_errmsg(db));
  switch (sqlite3_errcode(db)) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

Statement& Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bound_ = 0;
  return *this;
}

Statement& Statement::Bind(int64_t value) {
  sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

Statement& Statement::Bind(absl::string_view text) {
  sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(absl::string_view bytes) {
  sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteStatus(sqlite3_db_handle(statement_), "coordinator database");
}

absl::Status Statement::Run() {
  const absl::StatusOr<bool> row = Step();
  sqlite3_reset(statement_);
  return row.status();
}

std::string Statement::Text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::string() : std::string(bytes, size);
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, Mode mode) {
  const bool writes = mode == Mode::kReadWrite;
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<Database> database(new Database(db));
  if (code != SQLITE_OK) return SqliteStatus(db, absl::StrCat("open ", path));
  sqlite3_busy_timeout(db, kBusyMs);
  if (writes) {
    TY_RETURN_IF_ERROR(
        Annotate(database->Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                                   "PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY;"),
                 path));
    TY_ASSIGN_OR_RETURN(const int64_t synchronous, database->QueryInt("PRAGMA synchronous"));
    TY_CHECK(synchronous == 2);  // FULL: what is acknowledged survives a power cut
  }
  return database;
}

Database::~Database() {
  statements_.clear();
  sqlite3_close(db_);
}

absl::Status Database::Execute(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return SqliteStatus(db_, "coordinator database");
}

absl::StatusOr<Statement*> Database::Prepare(const std::string& sql) {
  std::unique_ptr<Statement>& statement = statements_[sql];
  if (statement == nullptr) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
      statements_.erase(sql);
      return SqliteStatus(db_, absl::StrCat("prepare '", sql, "'"));
    }
    statement = std::make_unique<Statement>(prepared);
  }
  return &statement->Reset();
}

absl::StatusOr<int64_t> Database::QueryInt(const std::string& sql) {
  TY_ASSIGN_OR_RETURN(Statement * statement, Prepare(sql));
  TY_ASSIGN_OR_RETURN(const bool row, statement->Step());
  if (!row) return absl::InternalError(absl::StrCat("'", sql, "' has no result"));
  const int64_t value = statement->Int(0);
  statement->Reset();
  return value;
}

}  // namespace trainyard::coordinator
