// Protobuf messages as text for people and programs: `-o json` and `-o yaml`.

#ifndef TRAINYARD_CLI_MESSAGE_TEXT_H_
#define TRAINYARD_CLI_MESSAGE_TEXT_H_

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

namespace trainyard::cli {

// Fields by their .proto names in their order, those that are not set left out. Unlike protobuf's
// own JSON, 64-bit numbers are numbers; enums are lower case as in the YAML of specs; a number that
// is not finite is a text ("nan", "inf", "-inf"); bytes are base64.
nlohmann::ordered_json MessageToJson(const google::protobuf::Message& message);

// The same values as YAML, which cli/yaml_message.h reads back.
std::string MessageToYaml(const google::protobuf::Message& message);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_MESSAGE_TEXT_H_
