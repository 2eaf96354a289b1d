#include "reward_service/reward_spec.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/status.h"
#include "task/job_spec.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::reward_service {
namespace {

// A file's path here; `what` names the field in errors.
using Resolver =
    std::function<absl::StatusOr<std::string>(const v1::FileRef& file, absl::string_view what)>;

absl::StatusOr<ScorerOptions> ReadScorer(const v1::RewardComponent& wire, const RewardJob& job,
                                         const Resolver& resolve) {
  switch (wire.scorer_case()) {
    case v1::RewardComponent::kLearned: {
      LearnedScorerOptions options;
      TY_ASSIGN_OR_RETURN(options.directory, resolve(wire.learned().model(), "learned.model"));
      options.normalize = !wire.learned().has_normalize() || wire.learned().normalize();
      options.tokenizer_sha256 = job.tokenizer_sha256;
      return options;
    }
    case v1::RewardComponent::kExactMatch:
      return ExactMatchOptions{wire.exact_match().ignore_case(), wire.exact_match().strip()};
    case v1::RewardComponent::kRegex:
      return RegexOptions{wire.regex().pattern(),
                          wire.regex().value() == 0 ? 1 : wire.regex().value()};
    case v1::RewardComponent::kLength:
      return LengthOptions{wire.length().min_tokens(), wire.length().max_tokens(),
                           wire.length().slack_tokens()};
    case v1::RewardComponent::kLexicon: {
      LexiconOptions options;
      TY_ASSIGN_OR_RETURN(options.path, resolve(wire.lexicon().file(), "lexicon.file"));
      return options;
    }
    case v1::RewardComponent::kAbstention: {
      AbstentionOptions options;
      const v1::AbstentionReward& from = wire.abstention();
      options.patterns.assign(from.patterns().begin(), from.patterns().end());
      options.correct = from.correct() == 0 ? 1 : from.correct();
      options.abstained = from.abstained();
      options.wrong = from.wrong();
      return options;
    }
    case v1::RewardComponent::kForbiddenWords: {
      ForbiddenWordsOptions options;
      const v1::ForbiddenWordsReward& from = wire.forbidden_words();
      options.words.assign(from.words().begin(), from.words().end());
      options.penalty = from.penalty() == 0 ? 1 : from.penalty();
      return options;
    }
    case v1::RewardComponent::SCORER_NOT_SET:
      return absl::InvalidArgumentError("no scorer is set");
  }
  return absl::InvalidArgumentError("the scorer is not known here");
}

absl::Status ReadSpec(const v1::RewardSpec& spec, const Resolver& resolve, RewardJob* job) {
  job->spec = spec;
  job->options.combine = spec.combine();
  for (const v1::RewardComponent& wire : spec.components()) {
    ComponentOptions component;
    component.name = wire.name();
    component.weight = wire.weight() == 0 ? 1 : wire.weight();
    auto scorer = ReadScorer(wire, *job, resolve);
    if (!scorer.ok()) {
      return Annotate(scorer.status(), absl::StrCat("reward component \"", wire.name(), "\""));
    }
    component.scorer = *std::move(scorer);
    job->options.components.push_back(std::move(component));
  }
  return absl::OkStatus();
}

// SHA-256 of the vocabulary in, or at, `path`; empty when there is none.
absl::StatusOr<std::string> TokenizerSha256(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return FileSha256Hex(path);
  const auto file = tokenizer::FindVocabularyFile(path);
  if (absl::IsNotFound(file.status())) return std::string();
  TY_RETURN_IF_ERROR(file.status());
  return FileSha256Hex(*file);
}

}  // namespace

absl::StatusOr<RewardJob> ParseRewardJob(const task::Assignment& assignment) {
  TY_ASSIGN_OR_RETURN(const v1::JobSpec spec, task::JobSpecOf(assignment));
  const Resolver resolve = [&](const v1::FileRef& file, absl::string_view what) {
    return task::ResolveFile(file, what, assignment);
  };
  v1::FileRef model, tokenizer;  // a tokenizer that is not set: the model's
  v1::RewardSpec reward;
  switch (spec.kind_case()) {
    case v1::JobSpec::kPpo:
      model = spec.ppo().policy();
      tokenizer = spec.ppo().data().tokenizer();
      reward = spec.ppo().reward();
      break;
    case v1::JobSpec::kGenerate:
      model = spec.generate().model();
      tokenizer = spec.generate().tokenizer();
      reward = spec.generate().reward();
      break;
    case v1::JobSpec::kEval:
      if (spec.eval().models_size() > 0) model = spec.eval().models(0).model();
      reward = spec.eval().reward();
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("job ", spec.name(), " is of a kind that has no reward tasks"));
  }
  RewardJob job;
  TY_ASSIGN_OR_RETURN(const std::string tokenizer_directory,
                      task::ResolveTokenizer(tokenizer, model, "tokenizer", assignment));
  TY_ASSIGN_OR_RETURN(job.tokenizer_sha256, TokenizerSha256(tokenizer_directory));
  TY_RETURN_IF_ERROR(ReadSpec(reward, resolve, &job));
  return job;
}

absl::StatusOr<RewardJob> ReadRewardFile(const std::string& path,
                                         const std::string& tokenizer_directory) {
  TY_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  v1::RewardSpec spec;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &spec);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", std::string(parsed.message().as_string())));
  }
  RewardJob job;
  if (!tokenizer_directory.empty()) {
    TY_ASSIGN_OR_RETURN(job.tokenizer_sha256, TokenizerSha256(tokenizer_directory));
  }
  const Resolver resolve = [](const v1::FileRef& file,
                              absl::string_view what) -> absl::StatusOr<std::string> {
    if (file.source_case() == v1::FileRef::kUri) return file.uri();
    return absl::InvalidArgumentError(absl::StrCat(what, ".uri must be a path"));
  };
  TY_RETURN_IF_ERROR(ReadSpec(spec, resolve, &job));
  return job;
}

}  // namespace trainyard::reward_service
