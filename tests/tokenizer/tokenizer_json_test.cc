#include <gtest/gtest.h>

#include "base/json.h"
#include "tokenizer/tokenizer_file.h"

namespace trainyard::tokenizer {
namespace {

// A tokenizer of characters with a bit of everything.
TokenizerSpec Spec() {
  TokenizerSpec spec;
  spec.tokens = {"<unk>", "▁", "a", "", "b", "▁a", "\"", "é"};
  spec.merges = {{1, 2}};
  spec.bpe = {.unk_token = "<unk>", .fuse_unk = true, .ignore_merges = true};
  spec.added = {{0, "<unk>", true}, {0, "<x>", false, true, true, true, true}};
  spec.normalizer = {{"type", "Prepend"}, {"prepend", "▁"}};
  spec.decoder = {{"type", "Fuse"}};
  return spec;
}

TEST(TokenizerJsonTest, WhatIsWrittenIsReadBackTheSame) {
  const auto tokenizer = *Tokenizer::Create(Spec());
  const auto again = ParseTokenizer(TokenizerJson(*tokenizer), "t.json");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->hash(), tokenizer->hash());
  EXPECT_EQ((*again)->EncodeWithAdded("a <x>é!b"), tokenizer->EncodeWithAdded("a <x>é!b"));
}

TEST(TokenizerJsonTest, MergesOfTokensWithSpacesArePairs) {
  TokenizerSpec spec = Spec();
  EXPECT_EQ((*ParseJson(TokenizerJson(**Tokenizer::Create(spec)), "t"))["model"]["merges"],
            Json::array({"▁ a"}));
  spec.tokens[3] = std::string(1, ' ');
  EXPECT_EQ((*ParseJson(TokenizerJson(**Tokenizer::Create(spec)), "t"))["model"]["merges"],
            Json::array({Json::array({"▁", "a"})}));
}

}  // namespace
}  // namespace trainyard::tokenizer
