// The chat template that a model was trained with.

#ifndef TRAINYARD_CLI_MODEL_TEMPLATE_H_
#define TRAINYARD_CLI_MODEL_TEMPLATE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/roots.h"
#include "cli/client.h"
#include "trainyard/v1/config.pb.h"

namespace trainyard::cli {

// What the manifest in a model's directory says, else the template that the text beside its
// tokenizer is; nothing when there is neither (a pretrained model). InvalidArgument when the
// manifest does not read, or the text is none of the templates known: lists them.
absl::StatusOr<std::optional<v1::ChatTemplate>> RecordedTemplate(const std::string& directory);

// Where `model` (root://NAME/path, JOB/OUTPUT or PIPELINE/STAGE/OUTPUT) is on this machine.
// NotFound when it is not there.
absl::StatusOr<std::string> ModelDirectory(const std::string& model, const Roots& roots,
                                           Client& client);

// The template for prompts to `model` (root://NAME/path, JOB/OUTPUT or PIPELINE/STAGE/OUTPUT):
// `flag` is "none", a template's name, or empty for the recorded one. NotFound when the model is
// not there.
absl::StatusOr<std::optional<v1::ChatTemplate>> ChooseTemplate(const std::string& flag,
                                                               const std::string& model,
                                                               const Roots& roots, Client& client);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_MODEL_TEMPLATE_H_
