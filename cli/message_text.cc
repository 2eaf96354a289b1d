#include "cli/message_text.h"

#include <google/protobuf/descriptor.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace trainyard::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using OrderedJson = nlohmann::ordered_json;

OrderedJson RealToJson(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

OrderedJson TextToJson(const FieldDescriptor& field, const std::string& text) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) return absl::Base64Escape(text);
  return text;
}

// Value of a single field (index < 0) or of one element of a repeated one.
OrderedJson ValueToJson(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return RealToJson(one ? r.GetFloat(message, &field)
                            : r.GetRepeatedFloat(message, &field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return RealToJson(one ? r.GetDouble(message, &field)
                            : r.GetRepeatedDouble(message, &field, index));
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::AsciiStrToLower(
          (one ? r.GetEnum(message, &field) : r.GetRepeatedEnum(message, &field, index))->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return TextToJson(
          field, one ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, index));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageToJson(one ? r.GetMessage(message, &field)
                               : r.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

OrderedJson FieldToJson(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) return ValueToJson(message, field, -1);
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (!field.is_map()) {
    OrderedJson list = OrderedJson::array();
    for (int i = 0; i < size; ++i) list.push_back(ValueToJson(message, field, i));
    return list;
  }
  // Sorted: the same message is the same text.
  std::map<std::string, OrderedJson> sorted;
  const FieldDescriptor& value = *field.message_type()->FindFieldByName("value");
  const FieldDescriptor& key = *field.message_type()->FindFieldByName("key");
  for (int i = 0; i < size; ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    const OrderedJson name = ValueToJson(entry, key, -1);
    sorted[name.is_string() ? name.get<std::string>() : name.dump()] =
        ValueToJson(entry, value, -1);
  }
  OrderedJson object = OrderedJson::object();
  for (auto& [name, element] : sorted) object[name] = std::move(element);
  return object;
}

void EmitYaml(const OrderedJson& json, YAML::Emitter* out) {
  if (json.is_object()) {
    *out << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      *out << YAML::Key << key << YAML::Value;
      EmitYaml(value, out);
    }
    *out << YAML::EndMap;
  } else if (json.is_array()) {
    *out << YAML::BeginSeq;
    for (const OrderedJson& element : json) EmitYaml(element, out);
    *out << YAML::EndSeq;
  } else if (json.is_string()) {
    *out << json.get<std::string>();
  } else {
    *out << json.dump();
  }
}

}  // namespace

OrderedJson MessageToJson(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  // ListFields goes by number; the .proto's order is what its reader knows.
  std::sort(fields.begin(), fields.end(),
            [](const auto* a, const auto* b) { return a->index() < b->index(); });
  OrderedJson object = OrderedJson::object();
  for (const FieldDescriptor* field : fields) object[field->name()] = FieldToJson(message, *field);
  return object;
}

std::string MessageToYaml(const Message& message) {
  YAML::Emitter out;
  EmitYaml(MessageToJson(message), &out);
  return std::string(out.c_str()) + "\n";
}

}  // namespace trainyard::cli
