// Words as the text measures count them.

#ifndef TRAINYARD_EVAL_WORDS_H_
#define TRAINYARD_EVAL_WORDS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace trainyard::eval {

// The matches of [a-z]+('[a-z]+)? in the lower-cased text, in order. Other bytes only part words.
std::vector<std::string> Words(absl::string_view text);

}  // namespace trainyard::eval

#endif  // TRAINYARD_EVAL_WORDS_H_
