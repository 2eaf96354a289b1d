// Oniguruma's syntax (Ruby's dialect) in PCRE2's words.

#ifndef TRAINYARD_TOKENIZER_REGEX_SYNTAX_H_
#define TRAINYARD_TOKENIZER_REGEX_SYNTAX_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trainyard::tokenizer {

// A pattern for PCRE2 with UTF, UCP and MULTILINE that matches what Oniguruma matches by `pattern`:
// other meanings of \h, \s, \v and \w, of {n,m}+ and {n}?, of options in the midst of a pattern, of
// nested classes. InvalidArgument names the construct that has no equal: class intersection (&&),
// raw bytes (\x80 and up without braces), absent operators, conditions, control escapes.
absl::StatusOr<std::string> OnigurumaToPcre2(absl::string_view pattern);

}  // namespace trainyard::tokenizer

#endif  // TRAINYARD_TOKENIZER_REGEX_SYNTAX_H_
