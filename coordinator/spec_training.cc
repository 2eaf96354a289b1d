// Rules of the kinds that a trainer runs: pretrain, sft, reward_model, tokenizer, tokenize.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/spec_validation.h"

namespace trainyard::coordinator {
namespace {

// Those of tokenizer/chat_catalog.h, which the coordinator does not link; tests/cli compares them.
const std::vector<std::string>& ChatTemplates() {
  static const std::vector<std::string> names = {
      "auto",       "chatml",        "llama2",  "llama3", "llama3.1", "mistral", "mistral_v0",
      "mistral_v3", "mistral_nemo",  "qwen2",   "qwen2.5", "qwen3",   "qwen3_nothink",
      "smollm2",    "zephyr",        "alpaca",  "plain",   "custom"};
  return names;
}

void ValidateModel(const v1::ModelSpec& model, SpecChecks checks) {
  checks.OneOf("family", model.family(), {"llama", "gpt2"});
  checks.Within("layers", model.layers(), 1, 1024);
  checks.Within("hidden_size", model.hidden_size(), 1, 1 << 20);
  checks.Within("heads", model.heads(), 1, 1 << 12);
  checks.AtLeast("kv_heads", model.kv_heads(), 0);
  checks.AtLeast("intermediate_size", model.intermediate_size(), 0);
  checks.Within("context", model.context(), 1, 1 << 24);
  checks.AtLeast("vocab_size", model.vocab_size(), 0);
  checks.AtLeast("rope_theta", model.rope_theta(), 0);
  checks.Below("norm_eps", model.norm_eps(), 0, 1);
  checks.AtLeast("init_std", model.init_std(), 0);
  if (model.heads() > 0 && model.hidden_size() % model.heads() != 0) {
    checks.Violation("heads",
                     absl::StrCat("is ", model.heads(), " and does not divide hidden_size ",
                                  model.hidden_size()));
  }
  if (model.kv_heads() > 0 && model.heads() % model.kv_heads() != 0) {
    checks.Violation("kv_heads", absl::StrCat("is ", model.kv_heads(),
                                              " and does not divide heads ", model.heads()));
  }
  if (model.dropout() != 0) {
    checks.Violation("dropout", "must be left out: there is no dropout");
  }
}

void ValidateLoop(const v1::LoopSpec& loop, SpecChecks checks) {
  checks.AtLeast("steps", loop.steps(), 0);
  checks.AtLeast("passes", loop.passes(), 0);
  if (loop.steps() > 0 && loop.passes() > 0) {
    checks.Violation("passes", "and steps exclude each other; keep one");
  }
  checks.AtLeast("global_batch", loop.global_batch(), 1);
  checks.AtLeast("micro_batch_tokens", loop.micro_batch_tokens(), 0);
  checks.AtLeast("eval_every", loop.eval_every(), 0);
  checks.AtLeast("checkpoint_every_steps", loop.checkpoint_every_steps(), 0);
  checks.AtLeast("checkpoint_every_seconds", loop.checkpoint_every_seconds(), 0);
  checks.AtLeast("keep_checkpoints", loop.keep_checkpoints(), 0);
  checks.AtLeast("log_every", loop.log_every(), 0);
}

// What every kind of training job has.
template <typename Spec>
void ValidateTraining(const Spec& spec, bool needs_tokenizer, SpecChecks checks) {
  ValidateData(spec.data(), checks.Under("data"));
  checks.Under("data").File("tokenizer", spec.data().has_tokenizer(), spec.data().tokenizer(),
                            needs_tokenizer);
  ValidateOptimizer(spec.optimizer(), checks.Under("optimizer"));
  ValidateLoop(spec.loop(), checks.Under("loop"));
}

}  // namespace

void ValidateSource(const v1::DataSource& source, SpecChecks checks) {
  checks.File("file", source.has_file(), source.file(), true);
  if (!source.format().empty()) {
    checks.OneOf("format", source.format(), {"text", "lines", "jsonl", "shards"});
  }
  checks.AtLeast("weight", source.weight(), 0);
  checks.AtLeast("token_budget", source.token_budget(), 0);
}

void ValidateChatTemplate(const v1::ChatTemplate& chat_template, SpecChecks checks) {
  const bool custom = chat_template.name() == "custom";
  checks.OneOf("name", chat_template.name(), ChatTemplates());
  if (custom && chat_template.roles().empty()) {
    checks.Violation("roles", "is empty; a custom template says what stands around each role");
  }
  if (!custom && !chat_template.roles().empty()) {
    checks.Violation("roles", "are only for the template \"custom\"");
  }
  for (int i = 0; i < chat_template.roles_size(); ++i) {
    checks.Under("roles", i)
        .OneOf("role", chat_template.roles(i).role(), {"system", "user", "assistant"});
  }
}

void ValidateData(const v1::DataSpec& data, SpecChecks checks) {
  if (data.train().empty()) {
    checks.Violation("train", "is empty; name at least one file");
  }
  for (int i = 0; i < data.train_size(); ++i)
    ValidateSource(data.train(i), checks.Under("train", i));
  for (int i = 0; i < data.validation_size(); ++i) {
    ValidateSource(data.validation(i), checks.Under("validation", i));
  }
  if (data.has_chat_template()) {
    ValidateChatTemplate(data.chat_template(), checks.Under("chat_template"));
  }
  checks.AtLeast("max_length", data.max_length(), 0);
  if (!data.overlong().empty()) checks.OneOf("overlong", data.overlong(), {"drop", "refuse"});
  checks.AtLeast("max_answer_tokens", data.max_answer_tokens(), 0);
  checks.AtLeast("max_bad_rows", data.max_bad_rows(), 0);
  for (int i = 0; i < data.instruction_templates_size(); ++i) {
    if (data.instruction_templates(i).find("{prompt}") == std::string::npos) {
      checks.Under("instruction_templates", i)
          .Violation("", absl::StrCat("is \"", data.instruction_templates(i),
                                      "\", it must hold {prompt} once"));
    }
  }
}

void ValidateOptimizer(const v1::OptimizerSpec& optimizer, SpecChecks checks) {
  checks.Positive("lr", optimizer.lr());
  checks.Below("beta1", optimizer.beta1(), 0, 1);
  checks.Below("beta2", optimizer.beta2(), 0, 1);
  checks.AtLeast("eps", optimizer.eps(), 0);
  checks.AtLeast("weight_decay", optimizer.weight_decay(), 0);
  if (!optimizer.schedule().empty()) {
    checks.OneOf("schedule", optimizer.schedule(), {"constant", "cosine", "linear", "wsd"});
  }
  checks.AtLeast("warmup_steps", optimizer.warmup_steps(), 0);
  checks.Within("warmup_ratio", optimizer.warmup_ratio(), 0, 1);
  if (optimizer.warmup_steps() > 0 && optimizer.warmup_ratio() > 0) {
    checks.Violation("warmup_ratio", "and warmup_steps exclude each other; keep one");
  }
  if (optimizer.has_final_ratio()) checks.Within("final_ratio", optimizer.final_ratio(), 0, 1);
  if (optimizer.has_decay_ratio()) checks.Within("decay_ratio", optimizer.decay_ratio(), 0, 1);
  checks.AtLeast("spike_z", optimizer.spike_z(), 0);
  for (int i = 0; i < optimizer.groups_size(); ++i) {
    SpecChecks group = checks.Under("groups", i);
    if (optimizer.groups(i).pattern().empty()) {
      group.Violation("pattern", "is empty; give a regular expression over parameter names");
    }
    if (optimizer.groups(i).has_lr_scale()) {
      group.AtLeast("lr_scale", optimizer.groups(i).lr_scale(), 0);
    }
    if (optimizer.groups(i).has_weight_decay()) {
      group.AtLeast("weight_decay", optimizer.groups(i).weight_decay(), 0);
    }
  }
}

void ValidateLora(const v1::LoraSpec& lora, SpecChecks checks) {
  checks.AtLeast("rank", lora.rank(), 1);
  checks.AtLeast("alpha", lora.alpha(), 0);
  if (lora.dropout() != 0) {
    checks.Violation("dropout", "must be left out: there is no dropout");
  }
  for (int i = 0; i < lora.targets_size(); ++i) {
    if (lora.targets(i).empty()) {
      checks.Under("targets", i).Violation("", "is empty; name a module, or all-linear alone");
    }
    if (lora.targets(i) == "all-linear" && lora.targets_size() > 1) {
      checks.Violation("targets", "\"all-linear\" stands by itself; leave the others out");
    }
  }
}

void ValidatePretrain(const v1::PretrainSpec& spec, SpecChecks checks) {
  if (spec.has_model() == spec.has_init_from()) {
    checks.Violation("model", spec.has_model()
                                  ? "and init_from exclude each other; keep one"
                                  : "is missing; give the shape of a new model, or init_from");
  }
  if (spec.has_model()) ValidateModel(spec.model(), checks.Under("model"));
  checks.File("init_from", spec.has_init_from(), spec.init_from(), false);
  ValidateTraining(spec, !spec.has_init_from(), checks);
}

void ValidateSft(const v1::SftSpec& spec, SpecChecks checks) {
  checks.File("init_from", spec.has_init_from(), spec.init_from(), true);
  ValidateTraining(spec, false, checks);
  checks.AtLeast("z_loss", spec.z_loss(), 0);
  if (spec.has_lora()) ValidateLora(spec.lora(), checks.Under("lora"));
}

void ValidateRewardModel(const v1::RewardModelSpec& spec, SpecChecks checks) {
  checks.File("init_from", spec.has_init_from(), spec.init_from(), true);
  ValidateTraining(spec, false, checks);
  if (spec.group_size() != 0) checks.Within("group_size", spec.group_size(), 2, 9);
  checks.AtLeast("min_gap", spec.min_gap(), 0);
  checks.Below("token_dropout", spec.token_dropout(), 0, 1);
  if (spec.has_lora()) ValidateLora(spec.lora(), checks.Under("lora"));
  if (spec.has_normalization()) {
    ValidateSource(spec.normalization(), checks.Under("normalization"));
  }
}

void ValidateTokenizer(const v1::TokenizerSpec& spec, SpecChecks checks) {
  if (spec.train().empty()) checks.Violation("train", "is empty; name at least one file");
  for (int i = 0; i < spec.train_size(); ++i)
    ValidateSource(spec.train(i), checks.Under("train", i));
  const std::set<std::string> specials(spec.special_tokens().begin(), spec.special_tokens().end());
  if (specials.size() != static_cast<size_t>(spec.special_tokens_size())) {
    checks.Violation("special_tokens", "name a token twice");
  }
  if (specials.count("") > 0) checks.Violation("special_tokens", "hold an empty token");
  // A byte-level vocabulary holds every byte besides the special tokens.
  checks.Within("vocab_size", spec.vocab_size(), 256 + static_cast<double>(specials.size()),
                1 << 20);
  checks.AtLeast("min_frequency", spec.min_frequency(), 0);
  const std::pair<const char*, std::string> named[] = {{"end_of_text", spec.end_of_text()},
                                                       {"pad", spec.pad()}};
  for (const auto& [field, token] : named) {
    if (!token.empty() && specials.count(token) == 0) {
      checks.Violation(field, absl::StrCat("is \"", token, "\", which is not in special_tokens"));
    }
  }
}

void ValidateTokenize(const v1::TokenizeSpec& spec, SpecChecks checks) {
  ValidateData(spec.data(), checks.Under("data"));
  checks.Under("data").File("tokenizer", spec.data().has_tokenizer(), spec.data().tokenizer(),
                            true);
  checks.AtLeast("shard_tokens", spec.shard_tokens(), 0);
}

}  // namespace trainyard::coordinator
