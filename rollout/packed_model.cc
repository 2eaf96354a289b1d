#include "rollout/packed_model.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "checkpoint/tensor_directory.h"
#include "kernels/thread_pool.h"
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

  void Release(const std::string& name, absl::string_view bytes) const override {
    directory_.tensors.at(name).file->Release(bytes);
  }

 private:
  const checkpoint::TensorDirectory directory_;
};

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

// Numbers of a tensor that begin at `bytes`, as fp32.
void Widen(DType dtype, const char* bytes, int64_t count, float* out) {
  const auto each = [&](auto number, const auto& widen) {
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(&number, bytes + i * sizeof(number), sizeof(number));
      out[i] = widen(number);
    }
  };
  if (dtype == DType::kBF16) each(uint16_t{}, kernels::WidenBf16);
  if (dtype == DType::kF16) each(uint16_t{}, WidenF16);
  if (dtype == DType::kF64) each(double{}, [](double wide) { return static_cast<float>(wide); });
  if (dtype == DType::kF32) std::memcpy(out, bytes, static_cast<size_t>(count) * sizeof(float));
}

// A tensor of the shape that was asked for.
struct Found {
  std::string name;  // in the source
  TensorView view;
};

// Tensors of one source as fp32, checked against the shapes they must have.
class Reader {
 public:
  // `base`: what the names of all but the head begin with, unless the source leaves it out.
  Reader(const TensorSource& source, std::string base, const PackOptions& options)
      : source_(source),
        base_(std::move(base)),
        products_(options.products),
        pool_(std::max(1, options.threads)),
        widened_(static_cast<size_t>(pool_.threads())) {
    const auto names = source.Names();
    bare_ = std::none_of(names.begin(), names.end(), [this](const std::string& name) {
      return absl::StartsWith(name, base_);
    });
  }

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

  absl::StatusOr<Found> Find(const std::string& name, absl::Span<const int64_t> shape) {
    Found found{bare_ ? std::string(absl::StripPrefix(name, base_)) : name, {}};
    auto view = source_.Find(found.name);
    if (absl::IsNotFound(view.status())) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " is missing from the weights"));
    }
    TY_RETURN_IF_ERROR(view.status());
    TY_RETURN_IF_ERROR(CheckView(found.name, *view, shape));
    found.view = *std::move(view);
    read_.insert(found.name);
    return found;
  }

  // Calls body(values, first, count) for rows [first, first + count) of the tensor until all were
  // there, on the pool's threads, and gives the source's memory of them back.
  template <typename Body>
  void ForEachStripe(const Found& found, const Body& body) {
    constexpr int64_t kStripeNumbers = 1 << 18;
    const int64_t rows = found.view.shape[0], row_numbers = Numbers(found.view) / rows;
    const size_t row_bytes = found.view.bytes.size() / static_cast<size_t>(rows);
    const int64_t step =
        std::max<int64_t>(1, kStripeNumbers / row_numbers / kernels::kPanelColumns) *
        kernels::kPanelColumns;
    pool_.ForEach(static_cast<int>((rows + step - 1) / step), [&](int stripe, int thread) {
      const int64_t first = stripe * step, count = std::min(step, rows - first);
      const absl::string_view bytes =
          found.view.bytes.substr(static_cast<size_t>(first) * row_bytes,
                                  static_cast<size_t>(count) * row_bytes);
      body(Floats(found.view.dtype, bytes, count * row_numbers, &widened_[thread]), first, count);
      source_.Release(found.name, bytes);
    });
    source_.Release(found.name, found.view.bytes);  // the pages that two stripes share
  }

  // The whole tensor, which is no product of many columns side by side; valid until the next call.
  const float* Whole(const Found& found) {
    return Floats(found.view.dtype, found.view.bytes, Numbers(found.view), &widened_[0]);
  }
  void Release(const Found& found) const { source_.Release(found.name, found.view.bytes); }
  kernels::ThreadPool& pool() { return pool_; }

  absl::Status ReadVector(const std::string& name, absl::Span<const int64_t> shape,
                          std::vector<float>* out) {
    out->clear();
    return AppendVector(name, shape, out);
  }

  absl::Status AppendVector(const std::string& name, absl::Span<const int64_t> shape,
                            std::vector<float>* out) {
    TY_ASSIGN_OR_RETURN(const Found found, Find(name, shape));
    const size_t begin = out->size();
    const int64_t row_numbers = Numbers(found.view) / shape[0];
    out->resize(begin + static_cast<size_t>(Numbers(found.view)));
    ForEachStripe(found, [&](const float* values, int64_t first, int64_t count) {
      std::copy_n(values, count * row_numbers, out->data() + begin + first * row_numbers);
    });
    return absl::OkStatus();
  }

 private:
  static int64_t Numbers(const TensorView& view) {
    return static_cast<int64_t>(view.bytes.size() / checkpoint::DTypeSizeBytes(view.dtype));
  }

  static absl::Status CheckView(const std::string& name, const TensorView& view,
                                absl::Span<const int64_t> shape) {
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
    if (view.dtype != DType::kF32 && view.dtype != DType::kBF16 && view.dtype != DType::kF16 &&
        view.dtype != DType::kF64) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " is ", checkpoint::DTypeName(view.dtype),
                       ": weights must be F32, BF16, F16 or F64"));
    }
    return absl::OkStatus();
  }

  static const float* Floats(DType dtype, absl::string_view bytes, int64_t count,
                             std::vector<float>* widened) {
    const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignof(float) == 0;
    if (dtype == DType::kF32 && aligned) return reinterpret_cast<const float*>(bytes.data());
    if (widened->size() < static_cast<size_t>(count)) widened->resize(static_cast<size_t>(count));
    Widen(dtype, bytes.data(), count, widened->data());
    return widened->data();
  }

  const TensorSource& source_;
  const std::string base_;
  bool bare_ = false;  // the source's names lack `base_`
  const kernels::WeightType products_;
  kernels::ThreadPool pool_;
  std::vector<std::vector<float>> widened_;  // by thread
  std::set<std::string> read_;               // names in the source
};

// Where a part of a fused product comes from.
struct Part {
  std::string name;
  int64_t columns = 0;
};

enum class Layout { kOutIn, kInOut };

// A tensor whose columns are the product's: each of them needs all of the tensor's rows.
void PackTransposed(Reader& reader, const Found& found, int begin, kernels::PackedMatrix* matrix) {
  constexpr int kStep = 4 * kernels::kPanelColumns;
  const int columns = static_cast<int>(found.view.shape[1]);
  const float* const values = reader.Whole(found);
  reader.pool().ForEach((columns + kStep - 1) / kStep, [&](int item, int) {
    const int first = item * kStep;
    matrix->SetColumns(begin + first, std::min(kStep, columns - first), values + first, 1, columns);
  });
  reader.Release(found);
}

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
    if (layout == Layout::kOutIn) {
      TY_ASSIGN_OR_RETURN(const Found found, reader.Find(part.name, {part.columns, inner}));
      reader.ForEachStripe(found, [&](const float* values, int64_t first, int64_t count) {
        linear->matrix.SetColumns(begin + static_cast<int>(first), static_cast<int>(count), values,
                                  inner, 1);
      });
    } else {
      TY_ASSIGN_OR_RETURN(const Found found, reader.Find(part.name, {inner, part.columns}));
      PackTransposed(reader, found, begin, &linear->matrix);
    }
    begin += static_cast<int>(part.columns);
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
    TY_RETURN_IF_ERROR(reader.AppendVector(part.name + ".bias", {part.columns}, &linear->bias));
  }
  return absl::OkStatus();
}

absl::Status PackLlamaLayer(const model::ModelConfig& c, const std::string& prefix, Reader& reader,
                            PackedLayer* layer) {
  const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
  const int64_t queries = c.heads * c.head_width, keys = c.kv_heads * c.head_width;
  TY_RETURN_IF_ERROR(reader.ReadVector(prefix + "input_layernorm.weight", {c.width},
                                       &layer->attention_norm.weight));
  TY_RETURN_IF_ERROR(PackLlamaLinear(reader, c.width,
                                     {{attention + "q_proj", queries},
                                      {attention + "k_proj", keys},
                                      {attention + "v_proj", keys}},
                                     c.qkv_bias, &layer->qkv));
  if (c.qk_norm) {
    TY_RETURN_IF_ERROR(
        reader.ReadVector(attention + "q_norm.weight", {c.head_width}, &layer->query_norm));
    TY_RETURN_IF_ERROR(
        reader.ReadVector(attention + "k_norm.weight", {c.head_width}, &layer->key_norm));
  }
  TY_RETURN_IF_ERROR(PackLlamaLinear(reader, queries, {{attention + "o_proj", c.width}}, c.out_bias,
                                     &layer->out));
  TY_RETURN_IF_ERROR(reader.ReadVector(prefix + "post_attention_layernorm.weight", {c.width},
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
  return reader.ReadVector(name + ".bias", {columns}, &linear->bias);
}

absl::Status PackGpt2Norm(Reader& reader, const std::string& name, int64_t width,
                          PackedNorm* norm) {
  TY_RETURN_IF_ERROR(reader.ReadVector(name + ".weight", {width}, &norm->weight));
  return reader.ReadVector(name + ".bias", {width}, &norm->bias);
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
  const std::string embedding = gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight";
  TY_RETURN_IF_ERROR(PackParts(reader, Layout::kOutIn, c.width,
                               {{c.tied_head ? embedding : "lm_head.weight", c.vocab_size}},
                               &packed->lm_head));
  if (!c.tied_head) {
    TY_RETURN_IF_ERROR(
        reader.ReadVector(embedding, {c.vocab_size, c.width}, &packed->token_embedding_VD));
  }
  if (!gpt2) return reader.ReadVector("model.norm.weight", {c.width}, &packed->final_norm.weight);
  TY_RETURN_IF_ERROR(reader.ReadVector("transformer.wpe.weight", {c.max_positions, c.width},
                                       &packed->position_embedding_PD));
  return PackGpt2Norm(reader, "transformer.ln_f", c.width, &packed->final_norm);
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
  const std::string base = gpt2 ? "transformer." : "model.";
  Reader reader(source, base, options);
  std::shared_ptr<PackedModel> packed =
      options.into != nullptr ? std::move(options.into) : std::make_shared<PackedModel>();
  packed->config = config;
  packed->products = options.products;
  packed->layers.resize(config.layers);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string prefix = absl::StrCat(base, gpt2 ? "h." : "layers.", i, ".");
    TY_RETURN_IF_ERROR(gpt2 ? PackGpt2Layer(config, prefix, reader, &packed->layers[i])
                            : PackLlamaLayer(config, prefix, reader, &packed->layers[i]));
  }
  TY_RETURN_IF_ERROR(PackEnds(reader, gpt2, packed.get()));
  TY_RETURN_IF_ERROR(reader.CheckAllRead(config));
  return packed;
}

}  // namespace trainyard::rollout
