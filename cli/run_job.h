// A job made from flags: submitted, followed, its output read.

#ifndef TRAINYARD_CLI_RUN_JOB_H_
#define TRAINYARD_CLI_RUN_JOB_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/roots.h"
#include "cli/client.h"
#include "cli/verb.h"
#include "trainyard/v1/job.pb.h"

namespace trainyard::cli {

// Flags that `generate` and `eval` share.
struct SamplingFlags {
  int max_new_tokens = 64;
  double temperature = 1;
  double top_p = 0;
  int top_k = 0;
  double min_p = 0;
  double typical_p = 0;
  double repetition_penalty = 0;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<std::string> logit_bias;  // TOKEN=BIAS
  std::vector<std::string> allowed;
  int min_new_tokens = 0;
  int best_of = 0;
  int beams = 0;
  double length_penalty = 1;
  std::string early_stopping;
  int n = 1;
  uint64_t seed = 0;
  std::string chat_template;
};
void AddSamplingFlags(CLI::App* verb, SamplingFlags* flags);
// InvalidArgument: a bias that is not TOKEN=NUMBER, a flag of beam search without --beams.
absl::StatusOr<v1::SamplingSpec> SamplingOf(const SamplingFlags& flags);

// Submits, waits, and gives the job when it SUCCEEDED. Aborted when it did not, which is told on
// standard error: `exit_code` is then the outcome's.
absl::StatusOr<v1::Job> RunJob(Client& client, const v1::JobSpec& spec, int* exit_code);

// Writes prompts given as texts where a job can read them: a new file below the root "runs".
absl::StatusOr<v1::FileRef> StorePrompts(const std::vector<std::string>& prompts,
                                         const Roots& roots);

// A file of one of the job's outputs.
absl::StatusOr<std::string> ReadOutput(const v1::Job& job, const std::string& output,
                                       const std::string& file, const Roots& roots);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_RUN_JOB_H_
