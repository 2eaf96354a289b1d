#include "model/rope.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::model {
namespace {

struct RopeTypeName {
  absl::string_view name;
  RopeType type;
  std::vector<absl::string_view> keys;  // what it reads besides its name and theta
};

const std::array<RopeTypeName, 4>& TypeNames() {
  static const std::array<RopeTypeName, 4>* const names = new std::array<RopeTypeName, 4>{
      {{"default", RopeType::kDefault, {}},
       {"linear", RopeType::kLinear, {"factor"}},
       {"llama3",
        RopeType::kLlama3,
        {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}},
       {"yarn",
        RopeType::kYarn,
        {"factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
         "mscale", "mscale_all_dim", "truncate"}}}};
  return *names;
}

absl::StatusOr<const RopeTypeName*> FindType(const JsonReader& reader, absl::string_view where) {
  TY_ASSIGN_OR_RETURN(const std::string old_name, reader.String("type", "default"));
  TY_ASSIGN_OR_RETURN(const std::string name, reader.String("rope_type", old_name));
  for (const RopeTypeName& known : TypeNames()) {
    if (known.name == name) return &known;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      where, ".rope_type ", name, " is not supported (only default, linear, llama3, yarn)"));
}

// A key that means nothing to the type is reported; one that holds a type for each kind of layer
// would mean something.
absl::Status NoteOtherKeys(const Json& object, absl::string_view where, const RopeTypeName& type,
                           std::vector<std::string>* ignored) {
  for (const auto& [key, value] : object.items()) {
    if (key == "type" || key == "rope_type" || key == "rope_theta" ||
        key == "partial_rotary_factor" || absl::c_linear_search(type.keys, key)) {
      continue;
    }
    if (value.is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, ".", key, " is not supported (only one RoPE for all layers, without this level)"));
    }
    ignored->push_back(
        absl::StrCat(where, ".", key, " ", value.dump(), " means nothing to type ", type.name));
  }
  return absl::OkStatus();
}

// The factor of attention's temperature that YaRN's authors found.
double YarnMagnitude(double factor, double scale) {
  return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

absl::Status ReadYarn(const JsonReader& reader, RopeScaling* scaling) {
  TY_ASSIGN_OR_RETURN(const double fast, reader.Double("beta_fast", 0.0));
  TY_ASSIGN_OR_RETURN(const double slow, reader.Double("beta_slow", 0.0));
  TY_ASSIGN_OR_RETURN(const double scale, reader.Double("mscale", 0.0));
  TY_ASSIGN_OR_RETURN(const double scale_all, reader.Double("mscale_all_dim", 0.0));
  if (fast != 0.0) scaling->beta_fast = fast;
  if (slow != 0.0) scaling->beta_slow = slow;
  TY_ASSIGN_OR_RETURN(scaling->truncate, reader.Bool("truncate", true));
  const double factor = scaling->factor;
  const double usual = scale != 0.0 && scale_all != 0.0
                           ? YarnMagnitude(factor, scale) / YarnMagnitude(factor, scale_all)
                           : YarnMagnitude(factor, 1.0);
  TY_ASSIGN_OR_RETURN(scaling->attention_factor, reader.Double("attention_factor", usual));
  return absl::OkStatus();
}

absl::Status ReadScaling(const JsonReader& outer, const JsonReader& reader, int64_t max_positions,
                         RopeScaling* scaling) {
  if (scaling->type == RopeType::kDefault) return absl::OkStatus();
  if (scaling->type == RopeType::kLinear) {
    TY_ASSIGN_OR_RETURN(scaling->factor, reader.Double("factor"));
    return absl::OkStatus();
  }
  constexpr char kOriginal[] = "original_max_position_embeddings";
  TY_ASSIGN_OR_RETURN(const int64_t inner, reader.Int(kOriginal, max_positions));
  TY_ASSIGN_OR_RETURN(scaling->original_positions, outer.Int(kOriginal, inner));
  TY_ASSIGN_OR_RETURN(scaling->factor, reader.Double("factor"));
  if (scaling->type == RopeType::kYarn) return ReadYarn(reader, scaling);
  TY_ASSIGN_OR_RETURN(scaling->low_frequency_factor, reader.Double("low_freq_factor"));
  TY_ASSIGN_OR_RETURN(scaling->high_frequency_factor, reader.Double("high_freq_factor"));
  return absl::OkStatus();
}

absl::Status CheckWholeHeads(const JsonReader& reader, absl::string_view where) {
  TY_ASSIGN_OR_RETURN(const double rotated, reader.Double("partial_rotary_factor", 1.0));
  if (rotated == 1.0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(where, "partial_rotary_factor ", rotated, " is not supported (only 1)"));
}

// transformers' names and operations: inv_freq_extrapolation is 1 / power, inv_freq_interpolation
// the stretched one.
void YarnFrequencies(const Rope& rope, absl::Span<float> powers) {
  const RopeScaling& scaling = rope.scaling;
  const double width = static_cast<double>(2 * powers.size());
  const auto dimension_of = [&](double rotations) {
    const double context = static_cast<double>(scaling.original_positions);
    return width * std::log(context / (rotations * 2.0 * M_PI)) / (2.0 * std::log(rope.theta));
  };
  double low = dimension_of(scaling.beta_fast), high = dimension_of(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, width - 1.0);
  if (low == high) high += 0.001;
  const float first = static_cast<float>(low), length = static_cast<float>(high - low);
  const float factor = static_cast<float>(scaling.factor);
  for (size_t i = 0; i < powers.size(); ++i) {
    const float ramp = std::clamp((static_cast<float>(i) - first) / length, 0.0f, 1.0f);
    const float kept = 1.0f - ramp;
    powers[i] = 1.0f / (powers[i] * factor) * (1.0f - kept) + 1.0f / powers[i] * kept;
  }
}

void Llama3Frequencies(const RopeScaling& scaling, absl::Span<float> powers) {
  const double context = static_cast<double>(scaling.original_positions);
  const float longest = static_cast<float>(context / scaling.low_frequency_factor);
  const float shortest = static_cast<float>(context / scaling.high_frequency_factor);
  const float low = static_cast<float>(scaling.low_frequency_factor);
  const float span =
      static_cast<float>(scaling.high_frequency_factor - scaling.low_frequency_factor);
  const float factor = static_cast<float>(scaling.factor);
  for (float& value : powers) {
    const float frequency = 1.0f / value;
    const float wave = 1.0f / frequency * static_cast<float>(2.0 * M_PI);
    value = wave > longest ? frequency / factor : frequency;
    if (wave < shortest || wave > longest) continue;
    const float smooth = (1.0f / wave * static_cast<float>(context) - low) / span;
    value = (1.0f - smooth) * frequency / factor + smooth * frequency;
  }
}

}  // namespace

absl::StatusOr<Rope> ParseRope(const Json& json, absl::string_view document, int64_t max_positions,
                               std::vector<std::string>* ignored) {
  const JsonReader reader(json, document);
  Rope rope;
  TY_ASSIGN_OR_RETURN(rope.theta, reader.Double("rope_theta", rope.theta));
  TY_RETURN_IF_ERROR(CheckWholeHeads(reader, absl::StrCat(document, ": ")));
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    if (!reader.Has(field)) continue;
    TY_ASSIGN_OR_RETURN(const Json* object, reader.Object(field));
    if (object->empty()) continue;
    const std::string where = absl::StrCat(document, ": ", field);
    const JsonReader inner(*object, where);
    TY_RETURN_IF_ERROR(CheckWholeHeads(inner, absl::StrCat(where, ".")));
    TY_ASSIGN_OR_RETURN(const RopeTypeName* type, FindType(inner, where));
    TY_RETURN_IF_ERROR(NoteOtherKeys(*object, where, *type, ignored));
    rope.scaling.type = type->type;
    TY_ASSIGN_OR_RETURN(rope.theta, inner.Double("rope_theta", rope.theta));
    TY_RETURN_IF_ERROR(ReadScaling(reader, inner, max_positions, &rope.scaling));
    break;
  }
  return rope;
}

void WriteRope(const Rope& rope, Json* json) {
  const RopeScaling& scaling = rope.scaling;
  Json fields = {{"rope_theta", rope.theta}};
  for (const RopeTypeName& known : TypeNames()) {
    if (known.type == scaling.type) fields["rope_type"] = std::string(known.name);
  }
  if (scaling.type != RopeType::kDefault) fields["factor"] = scaling.factor;
  if (scaling.type == RopeType::kLlama3) {
    fields["low_freq_factor"] = scaling.low_frequency_factor;
    fields["high_freq_factor"] = scaling.high_frequency_factor;
    fields["original_max_position_embeddings"] = scaling.original_positions;
  }
  if (scaling.type == RopeType::kYarn) {
    fields["original_max_position_embeddings"] = scaling.original_positions;
    fields["beta_fast"] = scaling.beta_fast;
    fields["beta_slow"] = scaling.beta_slow;
    if (!scaling.truncate) fields["truncate"] = false;
    // Where it is the usual one, other tools need not know the field.
    if (scaling.attention_factor != YarnMagnitude(scaling.factor, 1.0)) {
      fields["attention_factor"] = scaling.attention_factor;
    }
  }
  (*json)["rope_theta"] = rope.theta;
  (*json)["rope_parameters"] = fields;
  (*json)["rope_scaling"] = scaling.type == RopeType::kDefault ? Json(nullptr) : fields;
}

absl::Status ValidateRope(const Rope& rope) {
  const RopeScaling& scaling = rope.scaling;
  const auto refuse = [](absl::string_view what, double value, absl::string_view rule) {
    return absl::InvalidArgumentError(absl::StrCat("model RoPE ", what, " is ", value, ", ", rule));
  };
  const bool yarn = scaling.type == RopeType::kYarn, llama3 = scaling.type == RopeType::kLlama3;
  // YaRN divides by its logarithm.
  if (!(rope.theta > (yarn ? 1.0 : 0.0)) || !std::isfinite(rope.theta)) {
    return refuse("theta", rope.theta, yarn ? "must be greater than 1" : "must be positive");
  }
  if (!(scaling.factor > 0.0) || !std::isfinite(scaling.factor)) {
    return refuse("scaling factor", scaling.factor, "must be positive");
  }
  if ((yarn || llama3) && scaling.original_positions < 1) {
    return refuse("original context", static_cast<double>(scaling.original_positions),
                  "must be at least 1");
  }
  if (llama3 && !(scaling.low_frequency_factor > 0.0 &&
                  scaling.low_frequency_factor < scaling.high_frequency_factor)) {
    return refuse("low_freq_factor", scaling.low_frequency_factor,
                  absl::StrCat("must be positive and less than high_freq_factor ",
                               scaling.high_frequency_factor));
  }
  if (yarn && !(scaling.beta_slow > 0.0 && scaling.beta_slow <= scaling.beta_fast)) {
    return refuse("beta_slow", scaling.beta_slow,
                  absl::StrCat("must be positive and at most beta_fast ", scaling.beta_fast));
  }
  if (!(scaling.attention_factor > 0.0)) {
    return refuse("attention_factor", scaling.attention_factor, "must be positive");
  }
  return absl::OkStatus();
}

void RopeFrequencies(const Rope& rope, absl::Span<float> powers) {
  switch (rope.scaling.type) {
    case RopeType::kYarn:
      return YarnFrequencies(rope, powers);
    case RopeType::kLlama3:
      return Llama3Frequencies(rope.scaling, powers);
    default:
      for (float& value : powers) value = 1.0f / value;
  }
  if (rope.scaling.type == RopeType::kDefault) return;
  for (float& value : powers) value /= static_cast<float>(rope.scaling.factor);
}

}  // namespace trainyard::model
