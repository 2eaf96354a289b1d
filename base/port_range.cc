#include "base/port_range.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace trainyard {

absl::StatusOr<PortRange> ParsePortRange(absl::string_view text) {
  if (text.empty() || text == "0") return PortRange{};
  const bool single = text.find('-') == absl::string_view::npos;
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(
      text, absl::MaxSplits('-', 1));
  PortRange range;
  if (!absl::SimpleAtoi(ends.first, &range.first) ||
      !absl::SimpleAtoi(single ? ends.first : ends.second, &range.last) || range.first < 1 ||
      range.last > 65535 || range.first > range.last) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a range of ports; write FIRST-LAST, 1 to 65535"));
  }
  return range;
}

}  // namespace trainyard
