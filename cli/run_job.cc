#include "cli/run_job.h"

#include <iostream>

#include "absl/strings/numbers.h"
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
  verb->add_option("--min-p", flags->min_p,
                   "cut tokens below this share of the likeliest one's probability; 0 = off");
  verb->add_option("--typical-p", flags->typical_p, "locally typical sampling; 0 = off");
  verb->add_option("--repetition-penalty", flags->repetition_penalty,
                   "of tokens that prompt or answer hold, a factor; 0 = off");
  verb->add_option("--presence-penalty", flags->presence_penalty,
                   "of tokens that the answer holds, off their logits");
  verb->add_option("--frequency-penalty", flags->frequency_penalty,
                   "the same for each time that the answer holds them");
  verb->add_option("--logit-bias", flags->logit_bias, "TOKEN=BIAS, added to its logit")
      ->allow_extra_args(false);
  verb->add_option("--allow", flags->allowed, "TOKEN: only those allowed are chosen")
      ->allow_extra_args(false);
  verb->add_option("--min-new-tokens", flags->min_new_tokens, "no end before so many tokens");
  verb->add_option("--best-of", flags->best_of,
                   "draw so many and keep the --n likeliest per token; 0 = off");
  verb->add_option("--beams", flags->beams, "beam search of this width, draws nothing; 0 = off");
  verb->add_option("--length-penalty", flags->length_penalty,
                   "beams rank by log-prob / length ^ this")
      ->capture_default_str();
  verb->add_option("--early-stopping", flags->early_stopping,
                   "when beams end: heuristic (default), first or never");
  verb->add_option("--n", flags->n, "answers per prompt")->capture_default_str();
  verb->add_option("--seed", flags->seed, "same seed, same answers")->capture_default_str();
  verb->add_option("--chat-template", flags->chat_template,
                   absl::StrCat("none: the prompt as it stands; or ",
                                tokenizer::ChatTemplateNames(),
                                " (default: the one the model was trained with, or that its "
                                "tokenizer's files hold)"));
}

namespace {

// A token may hold '=' itself.
absl::StatusOr<v1::LogitBias> BiasOf(const std::string& text) {
  v1::LogitBias token;
  const size_t equals = text.rfind('=');
  double bias = 0;
  if (equals == std::string::npos || equals == 0 ||
      !absl::SimpleAtod(text.substr(equals + 1), &bias)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--logit-bias ", text, " must be TOKEN=NUMBER, as in ' yes=2.5'"));
  }
  token.set_token(text.substr(0, equals));
  token.set_bias(bias);
  return token;
}

}  // namespace

absl::StatusOr<v1::SamplingSpec> SamplingOf(const SamplingFlags& flags) {
  v1::SamplingSpec sampling;
  for (const std::string& text : flags.logit_bias) {
    TY_ASSIGN_OR_RETURN(*sampling.add_logit_bias(), BiasOf(text));
  }
  for (const std::string& token : flags.allowed) sampling.add_allowed_tokens(token);
  if (flags.beams > 0) {
    sampling.mutable_beam()->set_width(flags.beams);
    sampling.mutable_beam()->set_length_penalty(flags.length_penalty);
    sampling.mutable_beam()->set_early_stopping(flags.early_stopping);
  } else if (flags.length_penalty != 1 || !flags.early_stopping.empty()) {
    return absl::InvalidArgumentError(
        "--length-penalty and --early-stopping are of beam search: give --beams too");
  }
  sampling.set_min_p(flags.min_p);
  sampling.set_typical_p(flags.typical_p);
  sampling.set_repetition_penalty(flags.repetition_penalty);
  sampling.set_presence_penalty(flags.presence_penalty);
  sampling.set_frequency_penalty(flags.frequency_penalty);
  sampling.set_min_new_tokens(flags.min_new_tokens);
  sampling.set_best_of(flags.best_of);
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
