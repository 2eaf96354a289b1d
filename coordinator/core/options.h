// Limits and intervals of the core. A value.

#ifndef TRAINYARD_COORDINATOR_CORE_OPTIONS_H_
#define TRAINYARD_COORDINATOR_CORE_OPTIONS_H_

#include "absl/time/time.h"

namespace trainyard::coordinator {

// Deliberate faults, so that tests can show that the simulator finds them. Never set elsewhere.
struct Mutation {
  bool no_epoch_check = false;
  bool double_placement = false;
};

struct CoreOptions {
  absl::Duration heartbeat_interval = absl::Seconds(2);
  absl::Duration lease = absl::Seconds(10);
  // After a start nothing is declared lost for max(this, 3 leases).
  absl::Duration start_grace = absl::Seconds(30);
  // A step that starts this long after the last one stretches every lease by the gap.
  absl::Duration step_gap = absl::Seconds(1);
  absl::Duration orphan_timeout = absl::Minutes(30);

  // A pass over the queue comes no sooner than this after the last one and decides about everything
  // that happened in between.
  absl::Duration pass_spacing = absl::Milliseconds(20);
  // Tasks are told of a change of their peers no sooner than this, for each task of their attempt,
  // after the last one: a gang of n that becomes ready one by one costs n messages, not n * n.
  absl::Duration peer_spacing = absl::Milliseconds(1);

  absl::Duration preflight_limit = absl::Minutes(2);
  absl::Duration first_cause_hold = absl::Milliseconds(500);
  absl::Duration retry_min = absl::Seconds(1);
  absl::Duration retry_max = absl::Seconds(60);
  // Restarts in a row of one elastic task that never became READY before its attempt fails.
  int elastic_restarts = 5;

  // Grace between TERM and KILL, by why the task is stopped.
  absl::Duration cancel_grace = absl::Seconds(10);
  absl::Duration failure_grace = absl::Seconds(5);
  absl::Duration finish_grace = absl::Seconds(60);
  absl::Duration pause_grace = absl::Minutes(2);
  absl::Duration shrink_grace = absl::Seconds(30);
  // After the grace and this much more a task that still has no exit report counts as LOST.
  absl::Duration kill_limit = absl::Seconds(60);

  // Hang: no progress for max(hang_min, hang_factor x median of the phase's last steps).
  absl::Duration hang_min = absl::Seconds(60);
  double hang_factor = 10;
  int hang_window = 50;
  // Until a phase has this many steps on record, start_limit of the job holds instead.
  int hang_min_steps = 5;
  // A task whose session is gone this long while its agent says it lives is taken as hung.
  absl::Duration task_silence_limit = absl::Minutes(10);
  // Tasks all ended well, but nobody called FinishJob.
  absl::Duration unfinished_limit = absl::Seconds(5);
  // BLOCKED, QUEUED or PAUSED for this long fails the job.
  absl::Duration waiting_limit = absl::Hours(24 * 30);

  int max_tasks_per_job = 4096;
  int max_live_jobs = 100000;
  // Refuse at submission what would not fit the cluster as it is, even empty.
  bool refuse_unplaceable = false;

  Mutation mutation;
};

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_CORE_OPTIONS_H_
