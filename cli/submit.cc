#include <google/protobuf/message.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/follow.h"
#include "cli/message_text.h"
#include "cli/spec_file.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct SubmitOptions {
  std::string file;
  std::vector<std::string> overrides;
  bool dry_run = false;
  bool watch = false;
};

std::string NextSteps(const std::string& id) {
  return absl::StrCat("next: trainyard watch ", id, "   trainyard logs -f ", id,
                      "   trainyard cancel ", id, "\n");
}

void PrintDryRun(const Globals& globals, const google::protobuf::Message& message,
                 const std::string& name) {
  Print(globals, message, [&] {
    return absl::StrCat(name, " is valid; with defaults filled in:\n", MessageToYaml(message));
  });
}

absl::StatusOr<int> SubmitJob(const Globals& globals, const SubmitOptions& options,
                              const v1::JobSpec& spec) {
  TY_ASSIGN_OR_RETURN(Client client, Connect(globals));
  TY_ASSIGN_OR_RETURN(const v1::Job job, client.Submit(spec, options.dry_run));
  if (options.dry_run) {
    PrintDryRun(globals, job.spec(), options.file);
    return kExitOk;
  }
  Print(globals, job, [&] {
    return absl::StrCat("job ", job.id(), " (", job.spec().name(), ") ", Name(job.state()), "\n",
                        options.watch ? "" : NextSteps(job.id()));
  });
  return options.watch ? Follow(client, job.id(), globals) : kExitOk;
}

absl::StatusOr<int> SubmitPipeline(const Globals& globals, const SubmitOptions& options,
                                   const v1::PipelineSpec& spec) {
  TY_ASSIGN_OR_RETURN(Client client, Connect(globals));
  TY_ASSIGN_OR_RETURN(const v1::Pipeline pipeline, client.Submit(spec, options.dry_run));
  if (options.dry_run) {
    Print(globals, pipeline, [&] {
      return absl::StrCat(options.file, " is valid: ", spec.stages_size(), " stages\n");
    });
    return kExitOk;
  }
  Print(globals, pipeline, [&] {
    std::string text = absl::StrCat("pipeline ", pipeline.id(), " (", pipeline.name(), ") of ",
                                    pipeline.job_ids_size(), " stages\n");
    for (const v1::Job& job : pipeline.jobs()) {
      absl::StrAppend(&text, "  ", job.id(), "  ", job.stage(), "  ", Name(job.state()), "\n");
    }
    return text + (options.watch ? "" : NextSteps(pipeline.id()));
  });
  return options.watch ? Follow(client, pipeline.id(), globals) : kExitOk;
}

}  // namespace

void AddSubmit(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "submit", "Submit a job or a pipeline from a YAML file",
                           "trainyard submit examples/specs/fake.yaml --set fake.steps=20");
  const auto options = std::make_shared<SubmitOptions>();
  verb->add_option("FILE", options->file, "job, or pipeline (with `stages`)")->required();
  verb->add_option("--set", options->overrides, "replace a value: path.to.field=VALUE")
      ->allow_extra_args(false);
  verb->add_flag("--dry-run", options->dry_run, "check and show the spec, store nothing");
  verb->add_flag("--watch,-w", options->watch, "then watch it until it is over");
  SetBody(verb, globals, [globals, options]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(const Spec spec, ReadSpecFile(options->file, options->overrides));
    if (const auto* job = std::get_if<v1::JobSpec>(&spec)) {
      return SubmitJob(*globals, *options, *job);
    }
    return SubmitPipeline(*globals, *options, std::get<v1::PipelineSpec>(spec));
  });
}

}  // namespace trainyard::cli
