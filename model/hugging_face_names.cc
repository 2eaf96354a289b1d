#include "model/hugging_face_names.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace trainyard::model {
namespace {

// Adds the tensors that the family has.
class Views {
 public:
  explicit Views(std::string prefix) : prefix_(std::move(prefix)) {}

  void Add(const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) views_.push_back({prefix_ + name, tensor.detach()});
  }
  void AddTransposed(const std::string& name, const at::Tensor& tensor) { Add(name, tensor.t()); }
  void AddRows(const std::string& name, const at::Tensor& tensor, int64_t begin, int64_t rows) {
    if (tensor.defined()) Add(name, tensor.detach().narrow(0, begin, rows));
  }
  void AddHead(const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) views_.push_back({name, tensor.detach()});
  }
  std::vector<NamedTensor> Take() { return std::move(views_); }

 private:
  const std::string prefix_;
  std::vector<NamedTensor> views_;
};

void AddGpt2Layer(const Layer& layer, const std::string& name, Views* views) {
  views->Add(name + ".ln_1.weight", layer.attention_norm_weight_D);
  views->Add(name + ".ln_1.bias", layer.attention_norm_bias_D);
  views->AddTransposed(name + ".attn.c_attn.weight", layer.qkv_weight);
  views->Add(name + ".attn.c_attn.bias", layer.qkv_bias);
  views->AddTransposed(name + ".attn.c_proj.weight", layer.out_weight);
  views->Add(name + ".attn.c_proj.bias", layer.out_bias_D);
  views->Add(name + ".ln_2.weight", layer.mlp_norm_weight_D);
  views->Add(name + ".ln_2.bias", layer.mlp_norm_bias_D);
  views->AddTransposed(name + ".mlp.c_fc.weight", layer.up_weight);
  views->Add(name + ".mlp.c_fc.bias", layer.up_bias);
  views->AddTransposed(name + ".mlp.c_proj.weight", layer.down_weight_DF);
  views->Add(name + ".mlp.c_proj.bias", layer.down_bias_D);
}

void AddLlamaLayer(const ModelConfig& config, const Layer& layer, const std::string& name,
                   Views* views) {
  const int64_t queries = config.heads * config.head_width;
  const int64_t keys = config.kv_heads * config.head_width, f = config.ffn_width;
  const std::string attention = name + ".self_attn.";
  views->Add(name + ".input_layernorm.weight", layer.attention_norm_weight_D);
  views->AddRows(attention + "q_proj.weight", layer.qkv_weight, 0, queries);
  views->AddRows(attention + "q_proj.bias", layer.qkv_bias, 0, queries);
  views->AddRows(attention + "k_proj.weight", layer.qkv_weight, queries, keys);
  views->AddRows(attention + "k_proj.bias", layer.qkv_bias, queries, keys);
  views->AddRows(attention + "v_proj.weight", layer.qkv_weight, queries + keys, keys);
  views->AddRows(attention + "v_proj.bias", layer.qkv_bias, queries + keys, keys);
  views->Add(attention + "q_norm.weight", layer.query_norm_weight_E);
  views->Add(attention + "k_norm.weight", layer.key_norm_weight_E);
  views->Add(attention + "o_proj.weight", layer.out_weight);
  views->Add(attention + "o_proj.bias", layer.out_bias_D);
  views->Add(name + ".post_attention_layernorm.weight", layer.mlp_norm_weight_D);
  views->AddRows(name + ".mlp.gate_proj.weight", layer.up_weight, 0, f);
  views->AddRows(name + ".mlp.gate_proj.bias", layer.up_bias, 0, f);
  views->AddRows(name + ".mlp.up_proj.weight", layer.up_weight, f, f);
  views->AddRows(name + ".mlp.up_proj.bias", layer.up_bias, f, f);
  views->Add(name + ".mlp.down_proj.weight", layer.down_weight_DF);
  views->Add(name + ".mlp.down_proj.bias", layer.down_bias_D);
}

}  // namespace

std::string BasePrefix(const ModelConfig& config) {
  return config.family == Family::kGpt2 ? "transformer." : "model.";
}

std::vector<NamedTensor> HuggingFaceViews(const Model& model) {
  const bool gpt2 = model.config.family == Family::kGpt2;
  Views views(BasePrefix(model.config));
  views.Add(gpt2 ? "wte.weight" : "embed_tokens.weight", model.token_embedding_VD);
  views.Add("wpe.weight", model.position_embedding_PD);
  for (size_t i = 0; i < model.layers.size(); ++i) {
    if (gpt2) {
      AddGpt2Layer(model.layers[i], absl::StrCat("h.", i), &views);
    } else {
      AddLlamaLayer(model.config, model.layers[i], absl::StrCat("layers.", i), &views);
    }
  }
  views.Add(gpt2 ? "ln_f.weight" : "norm.weight", model.final_norm_weight_D);
  views.Add("ln_f.bias", model.final_norm_bias_D);
  views.AddHead("lm_head.weight", model.lm_head_VD);
  views.AddHead("score.weight", model.score_weight_1D);
  views.AddHead("score.bias", model.score_bias_1);
  return views.Take();
}

}  // namespace trainyard::model
