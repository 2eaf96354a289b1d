#include "cli/yaml_message.h"

#include <google/protobuf/descriptor.h>

#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/ids.h"

namespace trainyard::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kFileRef[] = "trainyard.v1.FileRef";

std::string ChildPath(absl::string_view parent, absl::string_view field) {
  return parent.empty() ? std::string(field) : absl::StrCat(parent, ".", field);
}

std::string Kind(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsNull()) return "nothing";
  return absl::StrCat("\"", node.Scalar(), "\"");
}

// "2GiB" -> 2147483648. False when it is no such number.
bool ParseBytes(absl::string_view text, int64_t* bytes) {
  static const std::map<std::string, int64_t> kUnits = {{"KiB", int64_t{1} << 10},
                                                        {"MiB", int64_t{1} << 20},
                                                        {"GiB", int64_t{1} << 30},
                                                        {"TiB", int64_t{1} << 40}};
  for (const auto& [unit, factor] : kUnits) {
    if (!absl::EndsWith(text, unit)) continue;
    double count = 0;
    text.remove_suffix(unit.size());
    if (!absl::SimpleAtod(absl::StripAsciiWhitespace(text), &count)) return false;
    if (!(count >= 0 && count * factor < 9e18)) return false;
    *bytes = static_cast<int64_t>(count * factor);
    return true;
  }
  return absl::SimpleAtoi(text, bytes);
}

// One conversion: walks the tree once and gathers every problem.
class Conversion {
 public:
  explicit Conversion(const YamlOrigin& origin) : origin_(origin) {}

  void Fill(const YAML::Node& node, const std::string& path, Message* message) {
    const Descriptor& type = *message->GetDescriptor();
    if (type.full_name() == kFileRef && node.IsScalar()) return FillFileRef(node, message);
    if (!node.IsMap()) return Wrong(node, path, "a mapping of fields", Kind(node));
    std::set<std::string> seen;
    std::map<std::string, std::string> chosen;
    for (const auto& entry : node) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const FieldDescriptor* field = type.FindFieldByName(name);
      if (field == nullptr) {
        Unknown(entry.first, name, path, type);
        continue;
      }
      const std::string child = ChildPath(path, name);
      if (!seen.insert(name).second) {
        Problem(entry.first, child, absl::StrCat(child, " is given twice; keep one"));
        continue;
      }
      if (const auto* choice = field->real_containing_oneof(); choice != nullptr) {
        const auto [other, first] = chosen.emplace(choice->name(), name);
        if (!first) {
          Problem(entry.first, child,
                  absl::StrCat(child, " and ", ChildPath(path, other->second),
                               " exclude each other; keep one"));
          continue;
        }
      }
      FillField(entry.second, child, *field, message);
    }
  }

  absl::Status Result() const {
    if (problems_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(problems_, "\n"));
  }

 private:
  void Problem(const YAML::Node& node, const std::string& path, absl::string_view text) {
    for (const std::string& overridden : origin_.overridden) {
      if (path == overridden || absl::StartsWith(path, overridden + ".") ||
          absl::StartsWith(path, overridden + "[")) {
        problems_.push_back(absl::StrCat("--set ", overridden, ": ", text));
        return;
      }
    }
    problems_.push_back(absl::StrCat(origin_.file, ":", node.Mark().line + 1, ": ", text));
  }

  void Wrong(const YAML::Node& node, const std::string& path, absl::string_view wanted,
             absl::string_view got) {
    Problem(node, path,
            absl::StrCat(path.empty() ? "the document" : path, " must be ", wanted, ", not ", got));
  }

  void Unknown(const YAML::Node& key, const std::string& name, const std::string& path,
               const Descriptor& type) {
    std::vector<std::string> known;
    for (int i = 0; i < type.field_count(); ++i) known.push_back(type.field(i)->name());
    const std::string nearest = NearestName(name, known);
    const std::string remedy = nearest.empty()
                                   ? absl::StrCat("fields there: ", absl::StrJoin(known, ", "))
                                   : absl::StrCat("did you mean \"", nearest, "\"?");
    Problem(key, ChildPath(path, name),
            absl::StrCat("unknown field \"", name, "\"",
                         path.empty() ? "" : absl::StrCat(" in ", path), " (", remedy, ")"));
  }

  void FillFileRef(const YAML::Node& node, Message* message) {
    const bool is_uri = absl::StrContains(node.Scalar(), "://");
    const FieldDescriptor* field =
        message->GetDescriptor()->FindFieldByName(is_uri ? "uri" : "artifact");
    message->GetReflection()->SetString(message, field, node.Scalar());
  }

  void FillField(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                 Message* message) {
    if (node.IsNull()) {
      return Problem(node, path, absl::StrCat(path, " has no value; write one or leave it out"));
    }
    if (field.is_map()) return FillMap(node, path, field, message);
    if (field.is_repeated()) return FillList(node, path, field, message);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      return Fill(node, path, message->GetReflection()->MutableMessage(message, &field));
    }
    SetScalar(node, path, field, message);
  }

  void FillMap(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
               Message* message) {
    if (!node.IsMap()) return Wrong(node, path, "a mapping", Kind(node));
    const FieldDescriptor& value = *field.message_type()->FindFieldByName("value");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const std::string child = ChildPath(path, key);
      if (!seen.insert(key).second) {
        Problem(entry.first, child, absl::StrCat(child, " is given twice; keep one"));
        continue;
      }
      Message* added = message->GetReflection()->AddMessage(message, &field);
      added->GetReflection()->SetString(added, added->GetDescriptor()->FindFieldByName("key"), key);
      FillField(entry.second, child, value, added);
    }
  }

  void FillList(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                Message* message) {
    if (!node.IsSequence()) {
      return Wrong(node, path, "a list (write \"- \" before each element)", Kind(node));
    }
    for (size_t i = 0; i < node.size(); ++i) {
      const std::string child = absl::StrCat(path, "[", i, "]");
      const YAML::Node element = node[i];
      if (element.IsNull()) {
        Problem(element, child, absl::StrCat(child, " has no value; write one or leave it out"));
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Fill(element, child, message->GetReflection()->AddMessage(message, &field));
      } else {
        SetScalar(element, child, field, message);
      }
    }
  }

  void SetScalar(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                 Message* message) {
    if (!node.IsScalar()) return Wrong(node, path, TypeName(field), Kind(node));
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return Store(field, node.Scalar(), message, &Reflection::SetString, &Reflection::AddString);
      case FieldDescriptor::CPPTYPE_BOOL:
        return SetBool(node, path, field, message);
      case FieldDescriptor::CPPTYPE_ENUM:
        return SetEnum(node, path, field, message);
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return SetReal(node, path, field, message);
      default:
        return SetInteger(node, path, field, message);
    }
  }

  static std::string TypeName(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return "a text";
      case FieldDescriptor::CPPTYPE_BOOL:
        return "true or false";
      case FieldDescriptor::CPPTYPE_ENUM:
        return "one word";
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return "a number";
      default:
        return "a whole number";
    }
  }

  // The one place that knows that single and repeated fields are set by different methods.
  template <typename T, typename Set, typename Add>
  static void Store(const FieldDescriptor& field, T value, Message* message, Set set, Add add) {
    const Reflection& reflection = *message->GetReflection();
    if (field.is_repeated()) {
      (reflection.*add)(message, &field, value);
    } else {
      (reflection.*set)(message, &field, value);
    }
  }

  void SetBool(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
               Message* message) {
    const bool yes = node.Scalar() == "true";
    if (!yes && node.Scalar() != "false") return Wrong(node, path, "true or false", Kind(node));
    Store(field, yes, message, &Reflection::SetBool, &Reflection::AddBool);
  }

  void SetEnum(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
               Message* message) {
    const EnumValueDescriptor* value =
        field.enum_type()->FindValueByName(absl::AsciiStrToUpper(node.Scalar()));
    if (value != nullptr && value->number() != 0) {
      return Store(field, value, message, &Reflection::SetEnum, &Reflection::AddEnum);
    }
    std::vector<std::string> names;
    for (int i = 0; i < field.enum_type()->value_count(); ++i) {
      if (field.enum_type()->value(i)->number() == 0) continue;
      names.push_back(absl::AsciiStrToLower(field.enum_type()->value(i)->name()));
    }
    Wrong(node, path, absl::StrCat("one of ", absl::StrJoin(names, ", ")), Kind(node));
  }

  void SetReal(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
               Message* message) {
    double value = 0;
    if (!absl::SimpleAtod(node.Scalar(), &value) || !std::isfinite(value)) {
      return Wrong(node, path, "a finite number", Kind(node));
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
      return Store(field, static_cast<float>(value), message, &Reflection::SetFloat,
                   &Reflection::AddFloat);
    }
    Store(field, value, message, &Reflection::SetDouble, &Reflection::AddDouble);
  }

  void SetInteger(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                  Message* message) {
    const std::string& text = node.Scalar();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
      uint64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) {
        return Wrong(node, path, "a whole number, 0 or more", Kind(node));
      }
      return Store(field, value, message, &Reflection::SetUInt64, &Reflection::AddUInt64);
    }
    int64_t value = 0;
    const bool is_bytes = absl::EndsWith(field.name(), "_bytes");
    if (is_bytes ? !ParseBytes(text, &value) : !absl::SimpleAtoi(text, &value)) {
      const char* wanted = is_bytes ? "a size (bytes, or with KiB, MiB, GiB)" : "a whole number";
      return Wrong(node, path, wanted, Kind(node));
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      return Store(field, value, message, &Reflection::SetInt64, &Reflection::AddInt64);
    }
    using Limits = std::numeric_limits<int32_t>;
    if (value < Limits::min() || value > Limits::max()) {
      return Wrong(node, path, "within -2147483648 .. 2147483647", Kind(node));
    }
    Store(field, static_cast<int32_t>(value), message, &Reflection::SetInt32,
          &Reflection::AddInt32);
  }

  const YamlOrigin& origin_;
  std::vector<std::string> problems_;
};

// Index of the element of `list` that `step` names, or -1.
int ElementIndex(const YAML::Node& list, absl::string_view step) {
  int index = 0;
  if (absl::SimpleAtoi(step, &index)) {
    return index >= 0 && static_cast<size_t>(index) < list.size() ? index : -1;
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const YAML::Node element = list[i];
    if (element.IsMap() && element["name"] && element["name"].IsScalar() &&
        element["name"].Scalar() == std::string(step)) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

}  // namespace

absl::Status YamlToMessage(const YAML::Node& node, const YamlOrigin& origin, Message* message) {
  Conversion conversion(origin);
  conversion.Fill(node, "", message);
  return conversion.Result();
}

absl::Status ApplyOverride(absl::string_view assignment, YAML::Node root, YamlOrigin* origin) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(assignment, absl::MaxSplits('=', 1));
  if (parts.first.empty() || !absl::StrContains(assignment, '=')) {
    return absl::InvalidArgumentError(
        absl::StrCat("--set ", assignment, ": write it as path.to.field=value"));
  }
  YAML::Node value;
  try {
    value = YAML::Load(parts.second);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("--set ", assignment, ": ", error.what()));
  }
  // stages[0].seed is stages.0.seed.
  const std::vector<std::string> steps =
      absl::StrSplit(absl::StrReplaceAll(parts.first, {{"[", "."}, {"]", ""}}), '.');
  std::string path;
  YAML::Node at = root;
  for (size_t i = 0; i < steps.size(); ++i) {
    const bool last = i + 1 == steps.size();
    if (at.IsSequence()) {
      const int index = ElementIndex(at, steps[i]);
      if (index < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("--set ", assignment, ": ", path, " has ", at.size(),
                         " elements and none is \"", steps[i], "\" (an index from 0, or a name)"));
      }
      absl::StrAppend(&path, "[", index, "]");
      if (last) at[index] = value;
      if (!last) at.reset(at[index]);
      continue;
    }
    if (at.IsDefined() && !at.IsNull() && !at.IsMap()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--set ", assignment, ": ", path, " is a value, it has no fields"));
    }
    path = ChildPath(path, steps[i]);
    if (last) at[steps[i]] = value;
    if (!last) {
      if (!at[steps[i]]) at[steps[i]] = YAML::Node(YAML::NodeType::Map);
      at.reset(at[steps[i]]);
    }
  }
  origin->overridden.insert(path);
  return absl::OkStatus();
}

}  // namespace trainyard::cli
