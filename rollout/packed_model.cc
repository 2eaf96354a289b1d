#include "rollout/packed_model.h"

#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "checkpoint/tensor_directory.h"
#include "model/ignored_tensors.h"

namespace trainyard::rollout {
namespace {

using checkpoint::DType;

class DirectorySource : public TensorSource {
 public:
  explicit DirectorySource(checkpoint::TensorDirectory directory)
      : directory_(std::move(directory)) {}

  absl::StatusOr<TensorView> Find(const std::string& name) const override {
    const auto found = directory_.tensors.find(name);
    if (found == directory_.tensors.end()) {
      return absl::NotFoundError(absl::StrCat("no tensor ", name));
    }
    const checkpoint::StoredTensor& stored = found->second;
    return TensorView{stored.entry->dtype, stored.entry->shape, stored.bytes()};
  }

  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, stored] : directory_.tensors) names.push_back(name);
    return names;
  }

 private:
  const checkpoint::TensorDirectory directory_;
};

void WidenAll(absl::string_view bytes, float* out) {
  const size_t count = bytes.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    uint16_t half;
    std::memcpy(&half, bytes.data() + 2 * i, 2);
    out[i] = kernels::WidenBf16(half);
  }
}

float WidenF16(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t exponent = half >> 10 & 0x1f, mantissa = half & 0x3ff;
  float value;
  if (exponent == 0) {
    value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const uint32_t bits =
      sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
  std::memcpy(&value, &bits, 4);
  return value;
}

// Tensors of one source as fp32, checked against the shapes they must have.
class Reader {
 public:
  Reader(const TensorSource& source, std::vector<std::string> prefixes,
         kernels::WeightType products)
      : source_(source), prefixes_(std::move(prefixes)), products_(products) {}

  // InvalidArgument names the tensors that nobody read and that carry something.
  absl::Status CheckAllRead(const model::ModelConfig& config) const {
    std::vector<std::string> left;
    for (const std::string& name : source_.Names()) {
      if (read_.count(name) == 0 && !model::MayBeIgnored(config, name)) left.push_back(name);
    }
    if (left.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "the weights hold what belongs to no part of this model: ", absl::StrJoin(left, ", ")));
  }

  // What the weights of products are packed as.
  kernels::WeightType products() const { return products_; }

  // Valid until the next call. The name is tried under each prefix.
  absl::StatusOr<const float*> Read(const std::string& name, absl::Span<const int64_t> shape) {
    TY_ASSIGN_OR_RETURN(const TensorView view, FindAny(name));
    if (absl::Span<const int64_t>(view.shape) != shape) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " has shape [", absl::StrJoin(view.shape, ", "),
                       "], the config needs [", absl::StrJoin(shape, ", "), "]"));
    }
    int64_t count = 1;
    for (int64_t size : shape) count *= size;
    if (view.bytes.size() != count * checkpoint::DTypeSizeBytes(view.dtype)) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " has ", view.bytes.size(), " bytes for ", count, " x ",
                       checkpoint::DTypeName(view.dtype)));
    }
    return Widen(name, view, count);
  }

  absl::Status ReadVector(const std::string& name, int64_t size, std::vector<float>* out) {
    TY_ASSIGN_OR_RETURN(const float* from, Read(name, {size}));
    out->assign(from, from + size);
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<TensorView> FindAny(const std::string& name) {
    for (const std::string& prefix : prefixes_) {
      auto view = source_.Find(prefix + name);
      if (absl::IsNotFound(view.status())) continue;
      read_.insert(prefix + name);
      return view;
    }
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", prefixes_[0], name, " is missing from the weights"));
  }

  absl::StatusOr<const float*> Widen(const std::string& name, const TensorView& view,
                                     int64_t count) {
    const bool aligned = reinterpret_cast<uintptr_t>(view.bytes.data()) % alignof(float) == 0;
    if (view.dtype == DType::kF32 && aligned) {
      return reinterpret_cast<const float*>(view.bytes.data());
    }
    widened_.resize(count);
    switch (view.dtype) {
      case DType::kF32:
        std::memcpy(widened_.data(), view.bytes.data(), view.bytes.size());
        break;
      case DType::kBF16:
        WidenAll(view.bytes, widened_.data());
        break;
      case DType::kF16:
        for (int64_t i = 0; i < count; ++i) {
          uint16_t half;
          std::memcpy(&half, view.bytes.data() + 2 * i, 2);
          widened_[i] = WidenF16(half);
        }
        break;
      case DType::kF64:
        for (int64_t i = 0; i < count; ++i) {
          double wide;
          std::memcpy(&wide, view.bytes.data() + 8 * i, 8);
          widened_[i] = static_cast<float>(wide);
        }
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat(
            "tensor ", name, " is ", checkpoint::DTypeName(view.dtype),
            ": weights must be F32, BF16, F16 or F64"));
    }
    return widened_.data();
  }

  const TensorSource& source_;
  const std::vector<std::string> prefixes_;
  const kernels::WeightType products_;
  std::vector<float> widened_;
  std::set<std::string> read_;
};

// Where a part of a fused product comes from.
struct Part {
  std::string name;
  int64_t columns = 0;
};

enum class Layout { kOutIn, kInOut };

// Fills `linear`, whose memory is used again when it has the size and type already.
absl::Status PackParts(Reader& reader, Layout layout, int64_t inner, absl::Span<const Part> parts,
                       PackedLinear* linear) {
  int64_t columns = 0;
  for (const Part& part : parts) columns += part.columns;
  const kernels::PackedMatrix& old = linear->matrix;
  if (old.inner() != inner || old.columns() != columns || old.type() != reader.products()) {
    linear->matrix = kernels::PackedMatrix(static_cast<int>(inner), static_cast<int>(columns),
                                           reader.products());
  }
  int begin = 0;
  for (const Part& part : parts) {
    const int count = static_cast<int>(part.columns);
    if (layout == Layout::kOutIn) {
      TY_ASSIGN_OR_RETURN(const float* from, reader.Read(part.name, {part.columns, inner}));
      linear->matrix.SetColumns(begin, count, from, inner, 1);
    } else {
      TY_ASSIGN_OR_RETURN(const float* from, reader.Read(part.name, {inner, part.columns}));
      linear->matrix.SetColumns(begin, count, from, 1, part.columns);
    }
    begin += count;
  }
  return absl::OkStatus();
}

// Parts side by side, and their biases where the config has them.
absl::Status PackLlamaLinear(Reader& reader, int64_t inner, absl::Span<const Part> parts, bool bias,
                             PackedLinear* linear) {
  std::vector<Part> weights;
  for (const Part& part : parts) weights.push_back({part.name + ".weight", part.columns});
  TY_RETURN_IF_ERROR(PackParts(reader, Layout::kOutIn, inner, weights, linear));
  linear->bias.clear();
  if (!bias) return absl::OkStatus();
  for (const Part& part : parts) {
    TY_ASSIGN_OR_RETURN(const float* from, reader.Read(part.name + ".bias", {part.columns}));
    linear->bias.insert(linear->bias.end(), from, from + part.columns);
  }
  return absl::OkStatus();
}

absl::Status PackLlamaLayer(const model::ModelConfig& c, const std::string& prefix, Reader& reader,
                            PackedLayer* layer) {
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  const int64_t queries = c.heads * c.head_width, keys = c.kv_heads * c.head_width;
  TY_RETURN_IF_ERROR(reader.ReadVector(prefix + "input_layernorm.weight", c.width,
                                       &layer->attention_norm.weight));
  TY_RETURN_IF_ERROR(PackLlamaLinear(reader, c.width,
                                     {{attention + "q_proj", queries},
                                      {attention + "k_proj", keys},
                                      {attention + "v_proj", keys}},
                                     c.qkv_bias, &layer->qkv));
  if (c.qk_norm) {
    TY_RETURN_IF_ERROR(
        reader.ReadVector(attention + "q_norm.weight", c.head_width, &layer->query_norm));
    TY_RETURN_IF_ERROR(
        reader.ReadVector(attention + "k_norm.weight", c.head_width, &layer->key_norm));
  }
  TY_RETURN_IF_ERROR(PackLlamaLinear(reader, queries, {{attention + "o_proj", c.width}}, c.out_bias,
                                     &layer->out));
  TY_RETURN_IF_ERROR(reader.ReadVector(prefix + "post_attention_layernorm.weight", c.width,
                                       &layer->mlp_norm.weight));
  TY_RETURN_IF_ERROR(PackLlamaLinear(
      reader, c.width, {{mlp + "gate_proj", c.ffn_width}, {mlp + "up_proj", c.ffn_width}},
      c.mlp_bias, &layer->up));
  return PackLlamaLinear(reader, c.ffn_width, {{mlp + "down_proj", c.width}}, c.mlp_bias,
                         &layer->down);
}

absl::Status PackGpt2Linear(Reader& reader, const std::string& name, int64_t inner,
                            int64_t columns, PackedLinear* linear) {
  TY_RETURN_IF_ERROR(
      PackParts(reader, Layout::kInOut, inner, {{name + ".weight", columns}}, linear));
  return reader.ReadVector(name + ".bias", columns, &linear->bias);
}

absl::Status PackGpt2Norm(Reader& reader, const std::string& name, int64_t width,
                          PackedNorm* norm) {
  TY_RETURN_IF_ERROR(reader.ReadVector(name + ".weight", width, &norm->weight));
  return reader.ReadVector(name + ".bias", width, &norm->bias);
}

absl::Status PackGpt2Layer(const model::ModelConfig& c, const std::string& prefix, Reader& reader,
                           PackedLayer* layer) {
  TY_RETURN_IF_ERROR(PackGpt2Norm(reader, prefix + "ln_1", c.width, &layer->attention_norm));
  TY_RETURN_IF_ERROR(
      PackGpt2Linear(reader, prefix + "attn.c_attn", c.width, 3 * c.width, &layer->qkv));
  TY_RETURN_IF_ERROR(
      PackGpt2Linear(reader, prefix + "attn.c_proj", c.width, c.width, &layer->out));
  TY_RETURN_IF_ERROR(PackGpt2Norm(reader, prefix + "ln_2", c.width, &layer->mlp_norm));
  TY_RETURN_IF_ERROR(
      PackGpt2Linear(reader, prefix + "mlp.c_fc", c.width, c.ffn_width, &layer->up));
  return PackGpt2Linear(reader, prefix + "mlp.c_proj", c.ffn_width, c.width, &layer->down);
}

absl::Status PackEnds(Reader& reader, bool gpt2, PackedModel* packed) {
  const model::ModelConfig& c = packed->config;
  const std::string embedding = gpt2 ? "wte.weight" : "model.embed_tokens.weight";
  TY_RETURN_IF_ERROR(PackParts(reader, Layout::kOutIn, c.width,
                               {{c.tied_head ? embedding : "lm_head.weight", c.vocab_size}},
                               &packed->lm_head));
  if (!c.tied_head) {
    TY_ASSIGN_OR_RETURN(const float* from, reader.Read(embedding, {c.vocab_size, c.width}));
    packed->token_embedding_VD.assign(from, from + c.vocab_size * c.width);
  }
  if (!gpt2) return reader.ReadVector("model.norm.weight", c.width, &packed->final_norm.weight);
  TY_ASSIGN_OR_RETURN(const float* from, reader.Read("wpe.weight", {c.max_positions, c.width}));
  packed->position_embedding_PD.assign(from, from + c.max_positions * c.width);
  return PackGpt2Norm(reader, "ln_f", c.width, &packed->final_norm);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TensorSource>> OpenModelDirectory(const std::string& directory) {
  TY_ASSIGN_OR_RETURN(checkpoint::TensorDirectory opened,
                      checkpoint::OpenTensorDirectory(directory));
  return std::make_unique<DirectorySource>(std::move(opened));
}

absl::StatusOr<std::shared_ptr<PackedModel>> PackModel(const model::ModelConfig& config,
                                                       const TensorSource& source,
                                                       PackOptions options) {
  TY_RETURN_IF_ERROR(model::ValidateConfig(config));
  if (config.head != model::Head::kLm) {
    return absl::InvalidArgumentError(
        "the model has a scalar head (a reward model); generation needs a language model");
  }
  const bool gpt2 = config.family == model::Family::kGpt2;
  Reader reader(source, gpt2 ? std::vector<std::string>{"transformer.", ""}
                             : std::vector<std::string>{""},
                options.products);
  std::shared_ptr<PackedModel> packed =
      options.into != nullptr ? std::move(options.into) : std::make_shared<PackedModel>();
  packed->config = config;
  packed->products = options.products;
  packed->layers.resize(config.layers);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string prefix = absl::StrCat(gpt2 ? "h." : "model.layers.", i, ".");
    TY_RETURN_IF_ERROR(gpt2 ? PackGpt2Layer(config, prefix, reader, &packed->layers[i])
                            : PackLlamaLayer(config, prefix, reader, &packed->layers[i]));
  }
  TY_RETURN_IF_ERROR(PackEnds(reader, gpt2, packed.get()));
  TY_RETURN_IF_ERROR(reader.CheckAllRead(config));
  return packed;
}

}  // namespace trainyard::rollout
