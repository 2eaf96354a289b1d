#include <iostream>
#include <memory>
#include <vector>

#include "base/status.h"
#include "cli/artifact_copy.h"
#include "cli/local_cluster.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace trainyard::cli {
namespace {

struct ExportOptions {
  std::string artifact;
  std::string directory;
  std::vector<std::string> roots;
};

}  // namespace

void AddExport(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "export",
                           "Copy an output of a job into a directory, every byte verified",
                           "trainyard export my-sft/model ./model");
  const auto options = std::make_shared<ExportOptions>();
  verb->add_option("ARTIFACT", options->artifact, "JOB/OUTPUT, or PIPELINE/STAGE/OUTPUT")
      ->required();
  verb->add_option("DIRECTORY", options->directory, "new, or empty")->required();
  verb->add_option("--root", options->roots,
                   "NAME=DIRECTORY where a root is mounted here (known for `trainyard up`)")
      ->allow_extra_args(false);
  SetBody(verb, globals, [globals, options]() -> absl::StatusOr<int> {
    TY_ASSIGN_OR_RETURN(Client client, Connect(*globals));
    TY_ASSIGN_OR_RETURN(const v1::Artifact artifact, FindArtifact(client, options->artifact));
    TY_ASSIGN_OR_RETURN(const Roots roots, RootsOf(client.address(), options->roots));
    TY_RETURN_IF_ERROR(CopyArtifact(artifact, roots, options->directory));
    Print(*globals, artifact, [&] {
      return artifact.name() + " (" + ShortBytes(artifact.size_bytes()) + ") is in " +
             options->directory + "\n";
    });
    return kExitOk;
  });
}

}  // namespace trainyard::cli
