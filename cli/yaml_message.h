// YAML documents as protobuf messages, strictly: every field must exist, once, with the right type.
// Values, no threads. Knows nothing about jobs but the short form of a file reference.

#ifndef TRAINYARD_CLI_YAML_MESSAGE_H_
#define TRAINYARD_CLI_YAML_MESSAGE_H_

#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trainyard::cli {

// Where a document came from, for the messages.
struct YamlOrigin {
  std::string file;
  // Canonical paths ("stages[1].sft.loop.steps") whose value came from --set, not from the file.
  std::set<std::string> overridden;
};

// Fills `message` from the mapping `node`. InvalidArgument lists every problem, one a line, each as
// "FILE:LINE: what is wrong (what to do)":
//   - a field that does not exist, with the nearest name that does;
//   - a value of another type or out of its range; a field given twice or without a value;
//   - two members of one choice (sft and ppo).
// Short forms: a file reference may be its text alone ("root://data/x" or "stage/model"); enums are
// written in lower case; fields ending in _bytes take KiB, MiB, GiB ("2GiB").
absl::Status YamlToMessage(const YAML::Node& node, const YamlOrigin& origin,
                           google::protobuf::Message* message);

// Replaces or adds one value: `assignment` is "a.b.c=VALUE", VALUE in YAML. An element of a list is
// named by its index or by its "name" field: "stages[0].seed=2", "stages.sft.sft.loop.steps=10".
// Adds the canonical path to origin->overridden. InvalidArgument when the text has no '=' or names
// no such element.
absl::Status ApplyOverride(absl::string_view assignment, YAML::Node root, YamlOrigin* origin);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_YAML_MESSAGE_H_
