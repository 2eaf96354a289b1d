// Live progress of jobs as lines of text. Pure: time is passed in.

#ifndef TRAINYARD_CLI_PROGRESS_H_
#define TRAINYARD_CLI_PROGRESS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::cli {

// Follows jobs and says how they stand. A value; one thread.
class ProgressBoard {
 public:
  // Takes an event in. Jobs keep the order in which they were first seen.
  void Observe(const v1::Job& job, absl::Time now);

  // One line per job: "sft  train [####......] 40/100  loss 4.731  3.2k tokens/s  12s left". The
  // bar is as long as `width` columns allow; what does not fit with the shortest is left in.
  std::vector<std::string> Lines(absl::Time now, size_t width) const;

  // What a log should say of the last event of `job_id`; empty when nothing worth a line changed:
  // its state or phase, a tenth of its steps, or `quiet` passed since its last line.
  std::string NewsOf(const std::string& job_id, absl::Time now, absl::Duration quiet);

  // True when there is a job and every one is terminal.
  bool AllOver() const;
  const v1::Job* Find(const std::string& job_id) const;
  // In the order of Lines.
  std::vector<const v1::Job*> Jobs() const;

 private:
  struct Followed {
    v1::Job job;
    // Where the current phase was first seen: its pace is measured from here.
    absl::Time phase_since;
    int64_t phase_first_step = 0;
    // What the last line said.
    std::string told_state;
    int told_tenth = -1;
    absl::Time told_at = absl::InfinitePast();
  };

  std::string LineOf(const Followed& followed, absl::Time now, size_t bar_width) const;
  // Infinite when it can not be known yet.
  static absl::Duration TimeLeft(const Followed& followed, absl::Time now);

  std::vector<std::string> order_;
  std::map<std::string, Followed> jobs_;
};

// "[####......]" of `width` cells.
std::string Bar(double share, int width);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_PROGRESS_H_
