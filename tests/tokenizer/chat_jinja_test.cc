#include "tokenizer/chat_jinja.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tokenizer/chat_catalog.h"

namespace trainyard::tokenizer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What transformers renders of the templates is in chat_parity_test.py.
TEST(ChatJinjaTest, ATemplateOfTagsSaysThemAndRefusesOtherRoles) {
  const std::string jinja = ChatTemplateJinja(*NamedChatTemplate("chatml", {}));
  EXPECT_THAT(jinja, HasSubstr(R"(== "user" %}{{ "<|im_start|>user\n" + (message['content']))"));
  EXPECT_THAT(jinja, HasSubstr("raise_exception"));
  EXPECT_THAT(jinja, HasSubstr(R"({% if add_generation_prompt %}{{ "<|im_start|>assistant\n" }})"));
}

TEST(ChatJinjaTest, QuotesAndOtherScriptsAreEscaped) {
  ChatTemplateSpec spec;
  spec.roles["assistant"] = {"\"A\\\"\xEA\xB0\x80", "</s>"};
  spec.end_of_turn = "</s>";
  EXPECT_THAT(ChatTemplateJinja(spec), HasSubstr(R"("\"A\\\"\uac00")"));
}

TEST(ChatJinjaTest, WhatIsTrimmedAwayDoesNotCount) {
  const std::string dense = "{% if a %}{{ b + ' c' }}{% endif %}x";
  EXPECT_EQ(CanonicalJinja("{%- if   a -%}\n   {{-  b\n + ' c' -}}\n{%- endif -%}  x"),
            CanonicalJinja(dense));
  EXPECT_EQ(CanonicalJinja("{% if a %}\n{{ b + ' c' }}{% endif %}x\n"), CanonicalJinja(dense));
  EXPECT_EQ(CanonicalJinja("{# why #}\n  {% if a %}\r\n{{b + ' c'}}{% endif %}x"),
            CanonicalJinja(dense));
}

TEST(ChatJinjaTest, WhatIsRenderedCounts) {
  const std::string dense = CanonicalJinja("{% if a %}{{ b + ' c' }}{% endif %}x");
  EXPECT_NE(CanonicalJinja("{% if a %}{{ b + '  c' }}{% endif %}x"), dense);   // in quotes
  EXPECT_NE(CanonicalJinja("{% if a %}{{ b + ' c' }}\n{% endif %}x"), dense);  // after an output
  EXPECT_NE(CanonicalJinja("{% if a %} {{ b + ' c' }}{% endif %}x"), dense);
  EXPECT_NE(CanonicalJinja("{% if a +%}\n{{ b + ' c' }}{% endif %}x"), dense);
  EXPECT_NE(CanonicalJinja("{% if a %}{{ b + ' c' }}{% endif %}x\n\n"), dense);
  EXPECT_EQ(CanonicalJinja("a {% set b = '%}' %}"), "a {%set b = '%}'%}");
}

TEST(ChatJinjaTest, TextsThatAreNoTemplatesAreTakenAsTheyAre) {
  for (const char* text : {"", "{", "{%", "{{ a", "{# a", "{%-", "a {", "{{ 'a", "{% \\"}) {
    CanonicalJinja(text);
  }
  EXPECT_EQ(CanonicalJinja("plain { text }"), "plain { text }");
}

}  // namespace
}  // namespace trainyard::tokenizer
