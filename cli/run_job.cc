#include "cli/run_job.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/follow.h"
#include "cli/text.h"
#include "tokenizer/chat_catalog.h"

namespace trainyard::cli {

void AddSamplingFlags(CLI::App* verb, SamplingFlags* flags) {
  verb->add_option("--max-new-tokens", flags->max_new_tokens, "longest answer in tokens")
      ->capture_default_str();
  verb->add_option("--temperature", flags->temperature, "0 = greedy")->capture_default_str();
  verb->add_option("--top-p", flags->top_p, "nucleus; 0 = off")->capture_default_str();
  verb->add_option("--top-k", flags->top_k, "0 = off")->capture_default_str();
  verb->add_option("--n", flags->n, "answers per prompt")->capture_default_str();
  verb->add_option("--seed", flags->seed, "same seed, same answers")->capture_default_str();
  verb->add_option("--chat-template", flags->chat_template,
                   absl::StrCat("none: the prompt as it stands; or ",
                                tokenizer::ChatTemplateNames(),
                                " (default: the one the model was trained with, or that its "
                                "tokenizer's files hold)"));
}

v1::SamplingSpec SamplingOf(const SamplingFlags& flags) {
  v1::SamplingSpec sampling;
  sampling.set_max_new_tokens(flags.max_new_tokens);
  sampling.set_temperature(flags.temperature);
  sampling.set_top_p(flags.top_p);
  sampling.set_top_k(flags.top_k);
  sampling.set_n(flags.n);
  sampling.set_seed(flags.seed);
  return sampling;
}

absl::StatusOr<v1::Job> RunJob(Client& client, const v1::JobSpec& spec, int* exit_code) {
  TY_ASSIGN_OR_RETURN(const v1::Job submitted, client.Submit(spec, false));
  std::cerr << "job " << submitted.id() << " (" << submitted.spec().name() << ")\n";
  TY_ASSIGN_OR_RETURN(const Target end, WaitFor(client, submitted.id(), absl::InfiniteFuture()));
  *exit_code = ExitCodeOf(end);
  const v1::Job& job = std::get<v1::Job>(end);
  if (job.state() == v1::SUCCEEDED) return job;
  std::cerr << "trainyard: job " << job.id() << " " << Name(job.state()) << ": "
            << EndText(job.end()) << "\nwhat to do: trainyard logs " << job.id() << "\n";
  return absl::AbortedError("the job did not succeed");
}

absl::StatusOr<v1::FileRef> StorePrompts(const std::vector<std::string>& prompts,
                                         const Roots& roots) {
  v1::FileRef file;
  file.set_uri(absl::StrCat("root://runs/prompts/", RandomId("prompts"), ".jsonl"));
  TY_ASSIGN_OR_RETURN(const std::string path, roots.Resolve(file.uri()));
  std::string rows;
  for (const std::string& prompt : prompts) {
    absl::StrAppend(&rows, Json{{"prompt", prompt}}.dump(), "\n");
  }
  TY_RETURN_IF_ERROR(MakeDirectories(path.substr(0, path.rfind('/'))));
  TY_RETURN_IF_ERROR(WriteFileAtomically(path, rows));
  return file;
}

absl::StatusOr<std::string> ReadOutput(const v1::Job& job, const std::string& output,
                                       const std::string& file, const Roots& roots) {
  for (const v1::Artifact& artifact : job.outputs()) {
    if (artifact.name() != output) continue;
    TY_ASSIGN_OR_RETURN(const std::string directory, roots.ResolveExisting(artifact.uri()));
    return ReadFile(absl::StrCat(directory, "/", file));
  }
  return absl::NotFoundError(absl::StrCat("job ", job.id(), " wrote no \"", output, "\""));
}

}  // namespace trainyard::cli
