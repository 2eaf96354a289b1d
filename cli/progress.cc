#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/text.h"

namespace trainyard::cli {
namespace {

constexpr size_t kBarWidth = 24;
constexpr size_t kLeastBarWidth = 4;
constexpr int64_t kStepsForPace = 3;

std::string LabelOf(const v1::Job& job) {
  return job.stage().empty() ? job.spec().name() : job.stage();
}

double ShareOf(const v1::Progress& progress) {
  if (progress.total_steps() <= 0) return 0;
  return std::clamp(static_cast<double>(progress.step()) / progress.total_steps(), 0.0, 1.0);
}

}  // namespace

std::string Bar(double share, int width) {
  const int full = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width));
  return absl::StrCat("[", std::string(full, '#'), std::string(width - full, '.'), "]");
}

void ProgressBoard::Observe(const v1::Job& job, absl::Time now) {
  const auto [it, is_new] = jobs_.try_emplace(job.id());
  Followed& followed = it->second;
  if (is_new) order_.push_back(job.id());
  const v1::Progress& before = followed.job.progress();
  const bool new_pace = is_new || job.attempt() != followed.job.attempt() ||
                        job.progress().step() < before.step() ||
                        (before.step() == 0 && job.progress().step() > 0);
  if (new_pace) {
    followed.phase_since = now;
    followed.phase_first_step = job.progress().step();
  }
  followed.job = job;
}

absl::Duration ProgressBoard::TimeLeft(const Followed& followed, absl::Time now) {
  const v1::Progress& progress = followed.job.progress();
  const int64_t done = progress.step() - followed.phase_first_step;
  if (progress.total_steps() <= 0 || done < kStepsForPace) return absl::InfiniteDuration();
  const absl::Duration per_step = (now - followed.phase_since) / static_cast<double>(done);
  return per_step * static_cast<double>(progress.total_steps() - progress.step());
}

std::string ProgressBoard::LineOf(const Followed& followed, absl::Time now,
                                  size_t bar_width) const {
  const v1::Job& job = followed.job;
  const v1::Progress& progress = job.progress();
  size_t label_width = 0;
  for (const auto& [id, other] : jobs_) {
    label_width = std::max(label_width, LabelOf(other.job).size());
  }
  // Of an active job the phase says more than the state.
  const bool works = job.state() == v1::ACTIVE && !progress.phase().empty();
  std::string line = absl::StrFormat("%-*s  %-10s", static_cast<int>(label_width), LabelOf(job),
                                     works ? progress.phase() : Name(job.state()));
  if (works) {
    if (progress.total_steps() > 0) {
      absl::StrAppendFormat(&line, " %s %d/%d",
                            Bar(ShareOf(progress), static_cast<int>(bar_width)), progress.step(),
                            progress.total_steps());
    }
    if (!progress.headline_name().empty()) {
      absl::StrAppendFormat(&line, "  %s %.4g", progress.headline_name(), progress.headline());
    }
    if (progress.tokens_per_second() > 0) {
      absl::StrAppend(&line, "  ", ShortNumber(progress.tokens_per_second()), " tokens/s");
    }
    const absl::Duration left = TimeLeft(followed, now);
    if (left != absl::InfiniteDuration())
      absl::StrAppend(&line, "  ", ShortDuration(left), " left");
  } else if (IsTerminal(job.state())) {
    if (job.started_at_us() > 0 && job.ended_at_us() > 0) {
      absl::StrAppend(&line, "  in ",
                      ShortDuration(absl::Microseconds(job.ended_at_us() - job.started_at_us())));
    }
    if (job.state() != v1::SUCCEEDED) absl::StrAppend(&line, "  ", EndText(job.end()));
  } else {
    absl::StrAppend(&line, "  ", job.reason());
  }
  return std::string(absl::StripTrailingAsciiWhitespace(line));
}

std::vector<std::string> ProgressBoard::Lines(absl::Time now, size_t width) const {
  std::vector<std::string> lines;
  for (const std::string& id : order_) {
    std::string line = LineOf(jobs_.at(id), now, kBarWidth);
    if (line.size() > width) {
      const size_t excess = std::min(line.size() - width, kBarWidth - kLeastBarWidth);
      line = LineOf(jobs_.at(id), now, kBarWidth - excess);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string ProgressBoard::NewsOf(const std::string& job_id, absl::Time now, absl::Duration quiet) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end()) return "";
  Followed& followed = it->second;
  const v1::Job& job = followed.job;
  const std::string state = absl::StrCat(Name(job.state()), "/", job.progress().phase(), "/",
                                         job.attempt(), "/", job.reason());
  const int tenth = static_cast<int>(ShareOf(job.progress()) * 10);
  const bool news = state != followed.told_state || tenth != followed.told_tenth ||
                    (job.state() == v1::ACTIVE && now - followed.told_at >= quiet);
  if (!news) return "";
  followed.told_state = state;
  followed.told_tenth = tenth;
  followed.told_at = now;
  return LineOf(followed, now, kBarWidth);
}

bool ProgressBoard::AllOver() const {
  return !jobs_.empty() && std::all_of(jobs_.begin(), jobs_.end(), [](const auto& entry) {
    return IsTerminal(entry.second.job.state());
  });
}

const v1::Job* ProgressBoard::Find(const std::string& job_id) const {
  const auto it = jobs_.find(job_id);
  return it == jobs_.end() ? nullptr : &it->second.job;
}

std::vector<const v1::Job*> ProgressBoard::Jobs() const {
  std::vector<const v1::Job*> jobs;
  for (const std::string& id : order_) jobs.push_back(&jobs_.at(id).job);
  return jobs;
}

}  // namespace trainyard::cli
