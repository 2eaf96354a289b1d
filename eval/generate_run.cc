#include "eval/generate_run.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/status.h"
#include "eval/answer_log.h"
#include "eval/collector.h"
#include "eval/prompts.h"

namespace trainyard::eval {
namespace {

constexpr absl::Duration kFinishTimeout = absl::Minutes(10);

}  // namespace

absl::Status RunGenerate(const GenerateJob& job, const task::Assignment& assignment,
                         task::TaskSession* session) {
  TY_ASSIGN_OR_RETURN(const RunPlace place, PlaceOf(assignment));
  TY_ASSIGN_OR_RETURN(const ModelText text,
                      LoadModelText(job.tokenizer_directory, job.model.directory));
  TY_ASSIGN_OR_RETURN(const PreparedPrompts prepared, PreparePrompts(job.prompts, text));
  AnswerLogOptions log_options{place.directory, place.epoch, "answers", ""};
  log_options.identity =
      Sha256Hex(absl::StrCat(prepared.source->fingerprint(), ";", Describe(prepared.sampling), ";",
                             job.model.digest, ";", text.tokenizer_sha256, ";", job.scored));
  TY_ASSIGN_OR_RETURN(const std::unique_ptr<AnswerLog> log, AnswerLog::Open(log_options));
  if (!log->rows().empty()) Log().info("{} rows are there already", log->rows().size());

  task::Progress progress;
  progress.phase = "generate";
  progress.total_steps = static_cast<int64_t>(prepared.prompts.size());
  CollectorOptions options;
  options.tokenizer = text.tokenizer.get();
  options.tokenizer_sha256 = text.tokenizer_sha256;
  options.sampling = prepared.sampling;
  options.scored = job.scored;
  Collector collector(session, assignment.Fence(), options);
  TY_RETURN_IF_ERROR(collector.Run(prepared.prompts, log.get(), [&](const auto& now) {
    progress.phase = now.waiting ? "waiting_rollout" : "generate";
    progress.step = now.rows;
    progress.tokens_per_second = now.tokens_per_second;
    session->Report(progress);
  }));

  OutputFile output{"answers", "jsonl", "answers.jsonl", ""};
  for (const data::Prompt* prompt : prepared.prompts) {
    absl::StrAppend(&output.bytes, ToJson(log->rows().at(prompt->row), *prompt).dump(), "\n");
  }
  const Json sections = {{"rows", prepared.prompts.size()},
                         {"tokenizer_sha256", text.tokenizer_sha256}};
  TY_ASSIGN_OR_RETURN(const task::Artifact artifact, WriteOutput(place, output, sections));
  return session->FinishJob({artifact}, kFinishTimeout);
}

}  // namespace trainyard::eval
