// How things look on a terminal. Pure functions.

#ifndef TRAINYARD_CLI_TEXT_H_
#define TRAINYARD_CLI_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "trainyard/v1/coordinator.pb.h"

namespace trainyard::cli {

// Rows in columns of equal width, two spaces apart, the first row in upper case as given. No space
// at the end of lines.
std::string Table(const std::vector<std::vector<std::string>>& rows);

// "48s", "3m12s", "2h05m", "4d03h"; "-" when it is negative or infinite.
std::string ShortDuration(absl::Duration duration);
// How long ago a time of the wire (microseconds since the epoch) was; "-" for 0.
std::string Age(int64_t time_us, absl::Time now);
// "2026-01-31 12:00:05", local; "-" for 0.
std::string LocalTime(int64_t time_us);
// "1.3 GiB".
std::string ShortBytes(int64_t bytes);
// "12.3k", "950".
std::string ShortNumber(double value);

// Kind of a job ("sft").
std::string KindOf(const v1::JobSpec& spec);
bool IsTerminal(v1::JobState state);
// Lower case, without the prefix ("queued", "user_error").
std::string Name(v1::JobState state);
std::string Name(v1::TaskState state);
std::string Name(v1::AttemptState state);
std::string Name(v1::EndClass end_class);

// "user_error: data/x.jsonl:3: ... (trainer/0 on here, step 12)"; empty when nothing ended.
std::string EndText(const v1::EndReason& end);

// The table of `trainyard list`.
std::string JobTable(const std::vector<v1::Job>& jobs, absl::Time now);

// Everything `trainyard describe` says of a job.
std::string DescribeJob(const v1::Job& job, absl::Time now);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_TEXT_H_
