#include "base/log.h"

#include <spdlog/sinks/ansicolor_sink.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"

namespace trainyard {

spdlog::logger& Log() {
  static spdlog::logger* logger = [] {
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
    auto* made = new spdlog::logger("trainyard", std::move(sink));
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

void ConfigureLog(absl::string_view process_name, absl::string_view level) {
  Log().set_pattern(absl::StrCat("%Y-%m-%dT%H:%M:%S.%e %L ", process_name, ": %v"));
  Log().set_level(spdlog::level::from_str(std::string(level)));
}

}  // namespace trainyard
