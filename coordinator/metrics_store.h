// Numbers that jobs report while they run. Lost seconds of them are no loss of truth: they never
// share a thread, a queue or an fsync with the state of jobs.

#ifndef TRAINYARD_COORDINATOR_METRICS_STORE_H_
#define TRAINYARD_COORDINATOR_METRICS_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace trainyard::coordinator {

struct MetricPoint {
  int64_t step = 0;
  absl::Time time;
  std::map<std::string, double> values;
};

struct MetricsStoreOptions {
  std::string path;  // of the database file
  // A job keeps one row in this time; zero keeps every step.
  absl::Duration row_interval = absl::Seconds(1);
  // Rows older than this are thinned to one a minute and job.
  absl::Duration full_rows_for = absl::Hours(24);
  // Above this the jobs that reported longest ago lose their rows first.
  int64_t max_size_bytes = int64_t{2} << 30;
  // Points that may wait for the writer; more are dropped and counted.
  size_t queue_capacity = 65536;
};

// SQLite, synchronous=NORMAL, one packed row per job and step: a power cut may take the last
// second, kill -9 nothing that was written. Of the steps within one row_interval the last stands
// for all, so that the newest point of a job is always there. Its first point and those of
// validation (with a value named "eval_...") stay whatever is thinned. Thread-safe.
class MetricsStore {
 public:
  static absl::StatusOr<std::unique_ptr<MetricsStore>> Open(MetricsStoreOptions options,
                                                            const Clock& clock);
  // Writes what is queued first.
  virtual ~MetricsStore() = default;

  // Queues a point and returns. A second point of the same step adds its values to the first.
  virtual void Add(const std::string& job_id, MetricPoint point) = 0;

  // Points of a job from a step on, by step; more than `max_points` are thinned evenly, the last
  // one stays.
  virtual absl::StatusOr<std::vector<MetricPoint>> Read(const std::string& job_id,
                                                        int64_t from_step,
                                                        int max_points) const = 0;

  // Thins and caps; called now and then by the writer itself.
  virtual absl::Status Maintain() = 0;

  // Waits until everything added so far is written. For tests and shutdown.
  virtual absl::Status Flush() = 0;

  // Points that were dropped because the queue was full or the disk refused.
  virtual int64_t dropped() const = 0;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_METRICS_STORE_H_
