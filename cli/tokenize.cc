#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/artifact_copy.h"
#include "cli/local_cluster.h"
#include "cli/verb.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::cli {
namespace {

struct TokenizeOptions {
  std::string tokenizer;
  std::vector<std::string> roots;
  std::vector<std::string> texts;
  std::vector<int32_t> decode;
  bool special = false;
  bool surround = false;
};

// The file of a path, else of a root:// uri or a job's output.
absl::StatusOr<std::string> TokenizerPath(const Globals& globals, const TokenizeOptions& options) {
  std::string path = options.tokenizer;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    auto client = Connect(globals);
    TY_RETURN_IF_ERROR(client.status());
    std::string uri = path;
    if (!absl::StartsWith(path, "root://")) {
      const auto artifact = FindArtifact(*client, options.tokenizer);
      if (!artifact.ok()) {
        return Annotate(artifact.status(),
                        absl::StrCat(path, " is no file here, and no output of a job"));
      }
      uri = artifact->uri();
    }
    TY_ASSIGN_OR_RETURN(const Roots roots, RootsOf(client->address(), options.roots));
    TY_ASSIGN_OR_RETURN(path, roots.ResolveExisting(uri));
  }
  return path;
}

// A tokenizer.json, or what a directory holds.
absl::StatusOr<std::shared_ptr<const tokenizer::Tokenizer>> LoadFrom(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return tokenizer::LoadTokenizer(path);
  TY_ASSIGN_OR_RETURN(tokenizer::TokenizerInDirectory found, tokenizer::LoadTokenizerOf(path));
  return std::move(found.tokenizer);
}

void PrintTokens(const Globals& globals, const tokenizer::Tokenizer& tokenizer,
                 const std::vector<tokenizer::TokenId>& ids) {
  if (globals.output == "json") {
    std::cout << Json(ids).dump() << "\n";
    return;
  }
  std::cout << ids.size() << " tokens: " << absl::StrJoin(ids, " ") << "\n";
  std::cout << absl::StrJoin(ids, "|", [&](std::string* out, tokenizer::TokenId id) {
    absl::StrAppend(out, tokenizer.TokenBytes(id));
  }) << "\n";
}

std::vector<tokenizer::TokenId> Ids(const tokenizer::Tokenizer& tokenizer,
                                    const TokenizeOptions& options, const std::string& text) {
  if (options.surround) return tokenizer.EncodeWithTemplate(text);
  return options.special ? tokenizer.EncodeWithAdded(text) : tokenizer.Encode(text);
}

absl::StatusOr<int> Tokenize(const Globals& globals, TokenizeOptions options) {
  TY_ASSIGN_OR_RETURN(const std::string path, TokenizerPath(globals, options));
  TY_ASSIGN_OR_RETURN(const auto tokenizer, LoadFrom(path));
  if (!options.decode.empty()) {
    for (const int32_t id : options.decode) {
      if (id < 0 || id >= tokenizer->vocabulary_size()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "token ", id, " is outside the vocabulary (0 .. ", tokenizer->vocabulary_size() - 1,
            ")"));
      }
    }
    std::cout << tokenizer->Decode(options.decode, tokenizer::SpecialTokens::kKeep) << "\n";
    return kExitOk;
  }
  if (options.texts.empty()) {
    options.texts.emplace_back(std::istreambuf_iterator<char>(std::cin),
                               std::istreambuf_iterator<char>());
  }
  for (const std::string& text : options.texts) {
    PrintTokens(globals, *tokenizer, Ids(*tokenizer, options, text));
  }
  return kExitOk;
}

}  // namespace

void AddTokenize(CLI::App& app, Globals* globals) {
  CLI::App* verb = AddVerb(app, globals, "tokenize",
                           "Show the tokens of a text, or the text of tokens, on this machine\n"
                           "(token shards of a data set: a job, examples/specs/tokenize.yaml)",
                           "trainyard tokenize ./model 'the film was'");
  const auto options = std::make_shared<TokenizeOptions>();
  verb->add_option("TOKENIZER", options->tokenizer,
                   "tokenizer.json, a directory, root://NAME/path or JOB/OUTPUT")
      ->required();
  verb->add_option("TEXT", options->texts, "texts (default: standard input)");
  verb->add_option("--decode", options->decode, "ids to turn into text instead");
  verb->add_flag("--special", options->special, "parse special tokens in the text");
  verb->add_flag("--surround", options->surround,
                 "the same, and put the tokenizer's own template around (a begin token, say)");
  verb->add_option("--root", options->roots,
                   "NAME=DIRECTORY where a root is mounted here (known for `trainyard up`)")
      ->allow_extra_args(false);
  SetBody(verb, globals, [globals, options] { return Tokenize(*globals, *options); });
}

}  // namespace trainyard::cli
