#include "cli/text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace trainyard::cli {
namespace {

std::string Lower(absl::string_view name, absl::string_view prefix) {
  absl::ConsumePrefix(&name, prefix);
  return absl::AsciiStrToLower(name);
}

void Line(std::string* out, absl::string_view name, const std::string& value) {
  if (!value.empty()) absl::StrAppendFormat(out, "%-13s %s\n", absl::StrCat(name, ":"), value);
}

std::string ProgressText(const v1::Progress& progress) {
  if (progress.phase().empty()) return "";
  std::string text = progress.phase();
  if (progress.total_steps() > 0) {
    absl::StrAppend(&text, " ", progress.step(), "/", progress.total_steps());
  } else if (progress.step() > 0) {
    absl::StrAppend(&text, " ", progress.step());
  }
  if (!progress.headline_name().empty()) {
    absl::StrAppendFormat(&text, " %s %.4g", progress.headline_name(), progress.headline());
  }
  return text;
}

std::string RoleText(const v1::Job& job) {
  std::vector<std::string> roles;
  for (const v1::RoleSpec& role : job.spec().roles()) {
    const auto wanted = job.wanted().find(role.name());
    const int count = wanted == job.wanted().end() ? role.count() : wanted->second;
    roles.push_back(absl::StrFormat("%s x %d (%d mcpu, %d threads%s)", role.name(), count,
                                    role.resources().cpu_milli(), role.threads(),
                                    role.resources().gpus() > 0 ? ", 1 gpu" : ""));
  }
  return absl::StrJoin(roles, ", ");
}

std::string TaskTable(const v1::Attempt& attempt) {
  std::vector<std::vector<std::string>> rows = {
      {"TASK", "STATE", "NODE", "ENDPOINT", "PROGRESS", "END"}};
  for (const v1::Task& task : attempt.tasks()) {
    rows.push_back({absl::StrCat(task.role(), "/", task.index()), Name(task.state()), task.node(),
                    task.endpoint(), ProgressText(task.progress()), EndText(task.end())});
  }
  return Table(rows);
}

}  // namespace

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i], std::string(widths[i] - row[i].size() + 2, ' '));
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(line), "\n");
  }
  return out;
}

std::string ShortDuration(absl::Duration duration) {
  if (duration < absl::ZeroDuration() || duration == absl::InfiniteDuration()) return "-";
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  if (seconds < 86400) return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  return absl::StrFormat("%dd%02dh", seconds / 86400, seconds / 3600 % 24);
}

std::string Age(int64_t time_us, absl::Time now) {
  return time_us == 0 ? "-" : ShortDuration(now - absl::FromUnixMicros(time_us));
}

std::string LocalTime(int64_t time_us) {
  if (time_us == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixMicros(time_us),
                          absl::LocalTimeZone());
}

std::string ShortBytes(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 5) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string ShortNumber(double value) {
  if (std::abs(value) >= 1e6) return absl::StrFormat("%.1fM", value / 1e6);
  if (std::abs(value) >= 1e3) return absl::StrFormat("%.1fk", value / 1e3);
  return absl::StrFormat("%.0f", value);
}

std::string KindOf(const v1::JobSpec& spec) {
  if (spec.kind_case() == v1::JobSpec::KIND_NOT_SET) return "";
  return v1::JobSpec::descriptor()->FindFieldByNumber(spec.kind_case())->name();
}

bool IsTerminal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

std::string Name(v1::JobState state) { return Lower(v1::JobState_Name(state), ""); }
std::string Name(v1::TaskState state) { return Lower(v1::TaskState_Name(state), "TASK_"); }
std::string Name(v1::AttemptState state) { return Lower(v1::AttemptState_Name(state), ""); }
std::string Name(v1::EndClass end_class) { return Lower(v1::EndClass_Name(end_class), "END_"); }

std::string EndText(const v1::EndReason& end) {
  if (end.class_() == v1::END_CLASS_UNSPECIFIED) return "";
  std::vector<std::string> where;
  if (!end.task().empty()) where.push_back(end.task());
  if (!end.phase().empty()) where.push_back(absl::StrCat("in ", end.phase()));
  if (end.step() > 0) where.push_back(absl::StrCat("step ", end.step()));
  if (end.signal() != 0) where.push_back(absl::StrCat("signal ", end.signal()));
  if (end.exit_code() != 0) where.push_back(absl::StrCat("exit code ", end.exit_code()));
  return absl::StrCat(Name(end.class_()), end.message().empty() ? "" : ": ", end.message(),
                      where.empty() ? "" : absl::StrCat(" (", absl::StrJoin(where, ", "), ")"));
}

std::string JobTable(const std::vector<v1::Job>& jobs, absl::Time now) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "KIND", "STATE", "PROGRESS", "AGE", "PIPELINE"}};
  for (const v1::Job& job : jobs) {
    const std::string progress = job.state() == v1::ACTIVE ? ProgressText(job.progress())
                                 : IsTerminal(job.state()) ? ""
                                                           : job.reason();
    rows.push_back({job.id(), job.spec().name(), KindOf(job.spec()), Name(job.state()), progress,
                    Age(job.created_at_us(), now), job.pipeline_id()});
  }
  return Table(rows);
}

std::string DescribeJob(const v1::Job& job, absl::Time now) {
  std::string out;
  Line(&out, "id", job.id());
  Line(&out, "name", job.spec().name());
  Line(&out, "kind", KindOf(job.spec()));
  Line(&out, "state", Name(job.state()));
  Line(&out, "reason", job.reason());
  Line(&out, "end", EndText(job.end()));
  Line(&out, "progress", ProgressText(job.progress()));
  Line(&out, "roles", RoleText(job));
  Line(&out, "run", job.spec().run_uri());
  if (!job.pipeline_id().empty()) {
    Line(&out, "pipeline", absl::StrCat(job.pipeline_id(), " (stage ", job.stage(), ")"));
  }
  Line(&out, "submitted", absl::StrCat(LocalTime(job.created_at_us()), " by ", job.principal()));
  if (job.started_at_us() > 0) {
    const absl::Time end = job.ended_at_us() > 0 ? absl::FromUnixMicros(job.ended_at_us()) : now;
    Line(&out, "started",
         absl::StrCat(LocalTime(job.started_at_us()), ", ran ",
                      ShortDuration(end - absl::FromUnixMicros(job.started_at_us()))));
  }
  Line(&out, "revision", absl::StrCat(job.revision()));
  if (job.has_current()) {
    const v1::Attempt& attempt = job.current();
    absl::StrAppendFormat(&out, "\nattempt %d (epoch %d): %s%s\n%s", attempt.number(),
                          attempt.epoch(), Name(attempt.state()),
                          attempt.restored_step() > 0
                              ? absl::StrCat(", restored step ", attempt.restored_step())
                              : "",
                          TaskTable(attempt));
  }
  if (!job.checkpoints().empty()) {
    std::vector<std::vector<std::string>> rows = {{"CHECKPOINT", "EPOCH", "AGE", "URI"}};
    for (const v1::Checkpoint& checkpoint : job.checkpoints()) {
      rows.push_back({absl::StrCat("step ", checkpoint.step()), absl::StrCat(checkpoint.epoch()),
                      Age(checkpoint.committed_at_us(), now), checkpoint.uri()});
    }
    absl::StrAppend(&out, "\n", Table(rows));
  }
  if (!job.outputs().empty()) {
    std::vector<std::vector<std::string>> rows = {{"OUTPUT", "TYPE", "SIZE", "URI"}};
    for (const v1::Artifact& output : job.outputs()) {
      rows.push_back({output.name(), output.type(), ShortBytes(output.size_bytes()), output.uri()});
    }
    absl::StrAppend(&out, "\n", Table(rows));
  }
  return out;
}

}  // namespace trainyard::cli
