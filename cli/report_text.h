// An eval job's report.json as people read it. Pure.

#ifndef TRAINYARD_CLI_REPORT_TEXT_H_
#define TRAINYARD_CLI_REPORT_TEXT_H_

#include <string>

#include "base/json.h"

namespace trainyard::cli {

// A line per metric and model, with the paired difference to the baseline where there is one, then
// a line per gate. A number that is missing (a metric of the baseline itself) is "-".
std::string ReportText(const Json& report);

}  // namespace trainyard::cli

#endif  // TRAINYARD_CLI_REPORT_TEXT_H_
