// Reads of the SQLite store. Each sees one durable revision. Errors as in Store.

#ifndef TRAINYARD_COORDINATOR_STORE_QUERIES_H_
#define TRAINYARD_COORDINATOR_STORE_QUERIES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/store.h"
#include "coordinator/store_database.h"

namespace trainyard::coordinator {

absl::StatusOr<JobRecord> QueryJob(Database& database, const std::string& id);
absl::StatusOr<JobRecord> QueryJobNamed(Database& database, const std::string& id_or_name);
absl::StatusOr<PipelineRecord> QueryPipeline(Database& database, const std::string& id_or_name);
absl::StatusOr<TaskRecord> QueryTask(Database& database, uint64_t task_uid);
absl::StatusOr<JobPage> QueryJobs(Database& database, const JobFilter& filter,
                                  const PageRequest& page);
absl::StatusOr<std::vector<AttemptRecord>> QueryAttempts(Database& database,
                                                         const std::string& job);
absl::StatusOr<std::vector<TaskRecord>> QueryTasks(Database& database, const std::string& job,
                                                   int attempt);
absl::StatusOr<std::vector<CheckpointRow>> QueryCheckpoints(Database& database,
                                                            const std::string& job);
absl::StatusOr<std::vector<ArtifactRow>> QueryArtifacts(Database& database, const std::string& job);
absl::StatusOr<std::vector<ArtifactRow>> QueryAllArtifacts(Database& database, int limit);
absl::StatusOr<std::map<std::string, int64_t>> QueryJobCounts(Database& database);
absl::StatusOr<EventPage> QueryEvents(Database& database, int64_t revision, const std::string& job,
                                      int limit);
absl::StatusOr<std::vector<JobRecord>> QueryJobsChanged(Database& database, int64_t revision,
                                                        int limit);

// The place of a job in the order of submission, as page.after names it; and back.
// InvalidArgument when `key` is not of that form.
std::string PageKey(int64_t created_revision, const std::string& id);
absl::StatusOr<std::pair<int64_t, std::string>> ParsePageKey(const std::string& key);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_STORE_QUERIES_H_
