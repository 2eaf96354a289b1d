// Rules that a spec is held to, a case each: the spec, what is changed in it, the violation.

#ifndef TRAINYARD_TESTS_COORDINATOR_SERVICE_SPEC_RULES_H_
#define TRAINYARD_TESTS_COORDINATOR_SERVICE_SPEC_RULES_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/spec_validation.h"
#include "tests/coordinator_service/spec_texts.h"

namespace trainyard::coordinator {

inline std::vector<std::string> Lines(const std::vector<rpc::FieldViolation>& violations) {
  std::vector<std::string> lines;
  for (const auto& violation : violations) {
    lines.push_back(absl::StrCat(violation.field, " ", violation.message));
  }
  return lines;
}

struct SpecRule {
  const char* text;
  std::vector<std::string> overrides;
  const char* violation;
};

inline void ExpectHeld(const std::vector<SpecRule>& rules) {
  for (const SpecRule& rule : rules) {
    EXPECT_THAT(Lines(ValidateJob(Job(rule.text, rule.overrides))),
                ::testing::Contains(::testing::HasSubstr(rule.violation)));
  }
}

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_TESTS_COORDINATOR_SERVICE_SPEC_RULES_H_
