#include "worker/checkpointer.h"

#include <ATen/ATen.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "checkpoint/store.h"

namespace trainyard::worker {
namespace {

// Room for one rank's file record as JSON.
constexpr int64_t kRecordBytes = 512;

at::Tensor PackRecord(const checkpoint::FileRecord& record) {
  const std::string text =
      Json{{"path", record.path}, {"size", record.size_bytes}, {"xxh3", record.xxh3}}.dump();
  TY_CHECK(static_cast<int64_t>(text.size()) < kRecordBytes);
  at::Tensor packed = at::zeros({1, kRecordBytes}, at::kByte);
  std::memcpy(packed.data_ptr(), text.data(), text.size());
  return packed;
}

absl::StatusOr<checkpoint::FileRecord> UnpackRecord(const at::Tensor& packed) {
  const std::string text(static_cast<const char*>(packed.data_ptr()));
  TY_ASSIGN_OR_RETURN(const Json json, ParseJson(text, "file record of a rank"));
  const JsonReader reader(json, "file record of a rank");
  checkpoint::FileRecord record;
  TY_ASSIGN_OR_RETURN(record.path, reader.String("path"));
  TY_ASSIGN_OR_RETURN(const int64_t size_bytes, reader.Int("size"));
  record.size_bytes = static_cast<uint64_t>(size_bytes);
  TY_ASSIGN_OR_RETURN(record.xxh3, reader.String("xxh3"));
  return record;
}

}  // namespace

Checkpointer::Checkpointer(const CheckpointerOptions& options, const NamedTensors& state,
                           collective::Group* group, task::TaskSession* session)
    : options_(options),
      group_(group),
      session_(session),
      writer_(ShareOf(state, group->rank(), group->world_size())) {}

absl::Status Checkpointer::Begin(const CheckpointContent& content) {
  TY_CHECK(phase_ == Phase::kIdle);
  content_ = content;
  record_.reset();
  TY_RETURN_IF_ERROR(
      writer_.Start(checkpoint::StepDirectory(options_.run_directory, options_.epoch, content.step),
                    ShardFileName(group_->rank(), group_->world_size())));
  phase_ = Phase::kWriting;
  return absl::OkStatus();
}

absl::StatusOr<Checkpointer::Signals> Checkpointer::Look() {
  Signals signals = {0, 0};
  if (phase_ == Phase::kWriting) {
    TY_RETURN_IF_ERROR(FetchRecord(absl::ZeroDuration()));
    signals[0] = record_.has_value() ? 1 : 0;
  } else if (phase_ == Phase::kCommitting && group_->rank() == 0) {
    TY_RETURN_IF_ERROR(FetchCommit(absl::ZeroDuration()));
    signals[1] = committed_step_ == content_.step ? 1 : 0;
  }
  return signals;
}

absl::Status Checkpointer::Advance(const Signals& sums) {
  if (phase_ == Phase::kWriting && sums[0] == group_->world_size()) return Gather();
  if (phase_ == Phase::kCommitting && sums[1] > 0) {
    committed_step_ = content_.step;
    phase_ = Phase::kIdle;
  }
  return absl::OkStatus();
}

absl::Status Checkpointer::Finish() {
  if (phase_ == Phase::kWriting) {
    TY_RETURN_IF_ERROR(FetchRecord(options_.timeout));
    TY_RETURN_IF_ERROR(Gather());
  }
  if (phase_ == Phase::kCommitting) {
    if (group_->rank() == 0) TY_RETURN_IF_ERROR(FetchCommit(options_.timeout));
    TY_RETURN_IF_ERROR(group_->Barrier());
    committed_step_ = content_.step;
    phase_ = Phase::kIdle;
  }
  return absl::OkStatus();
}

absl::Status Checkpointer::FetchRecord(absl::Duration timeout) {
  if (record_.has_value()) return absl::OkStatus();
  auto result = writer_.Fetch(timeout);
  if (result.has_value()) {
    if (!result->ok()) {
      return Annotate(result->status(), absl::StrCat("checkpoint of step ", content_.step));
    }
    record_ = **std::move(result);
  } else if (timeout > absl::ZeroDuration()) {
    return absl::DeadlineExceededError(absl::StrCat("checkpoint of step ", content_.step,
                                                    " was not written within ",
                                                    absl::FormatDuration(timeout)));
  }
  return absl::OkStatus();
}

absl::Status Checkpointer::FetchCommit(absl::Duration timeout) {
  if (committed_step_ == content_.step) return absl::OkStatus();
  auto result = committer_.Fetch(timeout);
  if (result.has_value()) {
    if (!result->ok()) {
      return Annotate(result->status(), absl::StrCat("commit of step ", content_.step));
    }
    committed_manifest_ = **std::move(result);
    committed_step_ = content_.step;
  } else if (timeout > absl::ZeroDuration()) {
    return absl::DeadlineExceededError(absl::StrCat("commit of step ", content_.step,
                                                    " was not acknowledged within ",
                                                    absl::FormatDuration(timeout)));
  }
  return absl::OkStatus();
}

absl::Status Checkpointer::Gather() {
  at::Tensor all = at::zeros({group_->world_size(), kRecordBytes}, at::kByte);
  TY_RETURN_IF_ERROR(group_->AllGather(PackRecord(*record_), all));
  phase_ = Phase::kCommitting;
  if (group_->rank() != 0) return absl::OkStatus();
  std::vector<checkpoint::FileRecord> records;
  for (int rank = 0; rank < group_->world_size(); ++rank) {
    TY_ASSIGN_OR_RETURN(records.emplace_back(), UnpackRecord(all[rank]));
  }
  StartCommit(std::move(records));
  return absl::OkStatus();
}

void Checkpointer::StartCommit(std::vector<checkpoint::FileRecord> records) {
  checkpoint::Manifest manifest;
  manifest.kind = options_.kind;
  manifest.step = content_.step;
  manifest.epoch = options_.epoch;
  manifest.numerics_id = options_.numerics_id;
  manifest.created_at = absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
  manifest.files = std::move(records);
  manifest.sections = content_.sections;
  committer_.Start([this, manifest = std::move(manifest), content = content_] {
    return Commit(manifest, content);
  });
}

absl::StatusOr<std::string> Checkpointer::Commit(checkpoint::Manifest manifest,
                                                 const CheckpointContent& content) {
  const std::string directory =
      checkpoint::StepDirectory(options_.run_directory, options_.epoch, content.step);
  TY_ASSIGN_OR_RETURN(const std::string digest,
                      checkpoint::CommitManifest(directory, std::move(manifest)));
  task::CommitRequest request;
  request.step = content.step;
  request.uri = JoinRootUri(
      options_.run_uri, directory.substr(options_.run_directory.size() + 1));
  request.manifest_sha256 = digest;
  request.metric = content.metric;
  request.metric_higher_is_better = options_.metric_higher_is_better;
  request.keep = options_.keep;
  if (!options_.stand_alone) {
    TY_ASSIGN_OR_RETURN(const task::CommitResult result,
                        session_->CommitCheckpoint(request, options_.timeout));
    TY_RETURN_IF_ERROR(Prune(result.prune));
  } else {
    TY_ASSIGN_OR_RETURN(const std::vector<std::string> all,
                        checkpoint::ListCheckpoints(options_.run_directory));
    checkpoint::Retention retention;
    retention.keep_last = options_.keep;
    for (const std::string& old : checkpoint::Expendable(all, retention)) {
      TY_RETURN_IF_ERROR(checkpoint::RemoveCheckpoint(old));
    }
  }
  return digest;
}

absl::Status Checkpointer::Prune(const std::vector<std::string>& uris) {
  for (const std::string& uri : uris) {
    TY_ASSIGN_OR_RETURN(const std::string directory, options_.roots.Resolve(uri));
    // A directory that stays costs space, not the run: the row is gone already.
    const absl::Status removed = checkpoint::RemoveCheckpoint(directory);
    if (!removed.ok()) Log().warn("cannot remove {}: {}", directory, removed.ToString());
  }
  return absl::OkStatus();
}

}  // namespace trainyard::worker
