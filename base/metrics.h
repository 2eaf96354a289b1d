// Counters and gauges of a process, for its Prometheus text page. The one global there is.

#ifndef TRAINYARD_BASE_METRICS_H_
#define TRAINYARD_BASE_METRICS_H_

#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace trainyard {

// A registry of numbers by (name, labels). Guarded. Names follow Prometheus: trainyard_x_total for
// counters, units as suffix (_seconds, _bytes).
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  void Describe(absl::string_view name, absl::string_view type, absl::string_view help)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Add(absl::string_view name, const Labels& labels, double amount)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Set(absl::string_view name, const Labels& labels, double value)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets one series (a task that is gone).
  void Remove(absl::string_view name, const Labels& labels) ABSL_LOCKS_EXCLUDED(mutex_);

  // The exposition format 0.0.4, families and series sorted.
  std::string PrometheusText() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The process's registry.
  static Metrics& Process();

 private:
  struct Family {
    std::string type = "untyped";
    std::string help;
    std::map<Labels, double> series;
  };

  mutable absl::Mutex mutex_;
  std::map<std::string, Family> families_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace trainyard

#endif  // TRAINYARD_BASE_METRICS_H_
