#include "ppo/committer.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/atomic_file.h"
#include "base/log.h"
#include "base/status.h"
#include "checkpoint/store.h"
#include "tokenizer/chat_files.h"

namespace trainyard::ppo {
namespace {

checkpoint::Manifest NewManifest(const RunState& state, const char* kind, uint64_t epoch) {
  checkpoint::Manifest manifest;
  manifest.kind = kind;
  manifest.step = state.iteration;
  manifest.epoch = epoch;
  const auto numerics = state.numerics.find("learner");
  if (numerics != state.numerics.end()) manifest.numerics_id = numerics->second;
  manifest.created_at = absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone());
  return manifest;
}

// Copies what there is of the tokenizer into `to`, with the template of its chats.
absl::Status CopyTokenizer(const ControllerOptions& options, const std::string& to,
                           std::vector<checkpoint::FileRecord>& files) {
  std::optional<tokenizer::ChatTemplateSpec> chat;
  if (!options.chat_template.is_null()) {
    TY_ASSIGN_OR_RETURN(chat, tokenizer::ParseChatTemplate(options.chat_template, "chat_template"));
  }
  TY_ASSIGN_OR_RETURN(const auto texts,
                      tokenizer::TokenizerFilesWith(chat.has_value() ? &*chat : nullptr,
                                                    options.tokenizer_directory));
  for (const auto& [name, bytes] : texts) {
    TY_ASSIGN_OR_RETURN(checkpoint::FileRecord record,
                        checkpoint::WriteCheckpointFile(to, name, bytes));
    files.push_back(std::move(record));
  }
  return absl::OkStatus();
}

}  // namespace

Committer::~Committer() {
  if (const absl::Status status = Flush(); !status.ok()) {
    Log().error("the last commit: {}", status.ToString());
  }
}

absl::Status Committer::Flush() {
  if (pending_.joinable()) pending_.join();
  return std::exchange(pending_status_, absl::OkStatus());
}

void Committer::Ask(task::CommitRequest request) {
  pending_ = std::thread([this, request = std::move(request)] {
    const absl::StatusOr<task::CommitResult> committed =
        session_->CommitCheckpoint(request, options_.timeouts.commit);
    pending_status_ = committed.status();
    if (!committed.ok()) return;
    for (const std::string& uri : committed->prune) {
      const absl::StatusOr<std::string> directory = options_.roots.Resolve(uri);
      const absl::Status removed =
          directory.ok() ? checkpoint::RemoveCheckpoint(*directory) : directory.status();
      if (!removed.ok()) Log().warn("pruning {}: {}", uri, removed.ToString());
    }
  });
}

absl::Status Committer::Commit(const RunState& state) {
  TY_RETURN_IF_ERROR(Annotate(Flush(), "the commit before"));
  const std::string uri =
      JoinRootUri(options_.run_uri,
                  absl::StrFormat("e%d/step-%08d", options_.fence.epoch, state.iteration));
  TY_ASSIGN_OR_RETURN(const std::string directory, options_.roots.Resolve(uri));
  TY_RETURN_IF_ERROR(checkpoint::BeginCheckpoint(directory));
  TY_ASSIGN_OR_RETURN(SavedState saved, learners_->Save(state.iteration, uri));
  checkpoint::Manifest manifest = NewManifest(state, "ppo", options_.fence.epoch);
  manifest.files = std::move(saved.files);
  manifest.sections["learner"] = std::move(saved.state);
  WriteSections(state, manifest);
  TY_ASSIGN_OR_RETURN(const std::string digest, checkpoint::CommitManifest(directory, manifest));
  Ask({.step = state.iteration,
       .uri = uri,
       .manifest_sha256 = digest,
       .keep = options_.keep_checkpoints});
  return absl::OkStatus();
}

absl::StatusOr<FinalPolicy> Committer::ExportPolicy(const RunState& state, PolicyForm form) {
  const bool adapter = form == PolicyForm::kAdapter;
  FinalPolicy policy;
  policy.uri = JoinRootUri(options_.run_uri, absl::StrCat("e", options_.fence.epoch,
                                                          adapter ? "/adapter" : "/policy"));
  TY_ASSIGN_OR_RETURN(const std::string directory, options_.roots.Resolve(policy.uri));
  TY_RETURN_IF_ERROR(checkpoint::BeginCheckpoint(directory));
  TY_ASSIGN_OR_RETURN(std::vector<checkpoint::FileRecord> files,
                      learners_->Export(policy.uri, form));
  TY_RETURN_IF_ERROR(CopyTokenizer(options_, directory, files));
  checkpoint::Manifest manifest =
      NewManifest(state, adapter ? "adapter" : "model", options_.fence.epoch);
  for (const checkpoint::FileRecord& file : files) {
    policy.size_bytes += static_cast<int64_t>(file.size_bytes);
  }
  manifest.files = std::move(files);
  if (!options_.chat_template.is_null()) {
    manifest.sections["chat_template"] = options_.chat_template;
  }
  TY_ASSIGN_OR_RETURN(policy.manifest_sha256, checkpoint::CommitManifest(directory, manifest));
  return policy;
}

absl::StatusOr<RunState> RestoreRunState(const task::Assignment& assignment,
                                         const std::string& manifest_sha256) {
  for (const task::Checkpoint& checkpoint : assignment.restore) {
    if (checkpoint.manifest_sha256 != manifest_sha256) continue;
    TY_ASSIGN_OR_RETURN(const std::string directory,
                        assignment.roots.ResolveExisting(checkpoint.uri));
    TY_ASSIGN_OR_RETURN(const checkpoint::Manifest manifest,
                        checkpoint::ReadManifest({directory, manifest_sha256}));
    return ReadSections(manifest);
  }
  return absl::NotFoundError(absl::StrCat("the learners restored checkpoint ", manifest_sha256,
                                          ", which is not among the ", assignment.restore.size(),
                                          " that this attempt may restore"));
}

}  // namespace trainyard::ppo
