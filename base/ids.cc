#include "base/ids.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/random.h"

namespace trainyard {

absl::Status ValidateName(absl::string_view what, absl::string_view name) {
  const bool ok = !name.empty() && name.size() <= 63 && absl::ascii_islower(name.front()) &&
                  name.back() != '-' && std::all_of(name.begin(), name.end(), [](char c) {
                    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
                  });
  if (ok) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      what, " \"", name, "\" is not a name: use 1 to 63 of a-z, 0-9 and '-', first a letter"));
}

std::string RandomId(absl::string_view prefix) {
  constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id = absl::StrCat(prefix, "-");
  uint64_t bits = EntropyBits();
  for (int i = 0; i < 12; ++i, bits >>= 5) id += kAlphabet[bits % 32];
  return id;
}

std::string RandomSecret() {
  std::string secret;
  for (int i = 0; i < 4; ++i) absl::StrAppendFormat(&secret, "%016x", EntropyBits());
  return secret;
}

int EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace trainyard
