#include "cli/local_cluster.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/atomic_file.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"

namespace trainyard::cli {
namespace {

namespace fs = std::filesystem;

std::string NotePath(const std::string& address) {
  return absl::StrCat(StateDirectory(), "/clusters/",
                      absl::StrReplaceAll(address, {{"/", "_"}, {":", "_"}}), ".json");
}

}  // namespace

std::string StateDirectory() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != '\0') return absl::StrCat(state, "/trainyard");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "/tmp" : home, "/.local/state/trainyard");
}

absl::Status NoteLocalCluster(const std::string& address,
                              const std::map<std::string, std::string>& roots) {
  const std::string path = NotePath(address);
  TY_RETURN_IF_ERROR(MakeDirectories(fs::path(path).parent_path().string()));
  return WriteFileAtomically(path, Json(roots).dump(2) + "\n");
}

void ForgetLocalCluster(const std::string& address) {
  std::error_code ignored;  // a note too many only says where a directory was
  fs::remove(NotePath(address), ignored);
}

absl::StatusOr<std::map<std::string, std::string>> ParseRoots(
    const std::vector<std::string>& texts) {
  std::map<std::string, std::string> roots;
  for (const std::string& text : texts) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    TY_RETURN_IF_ERROR(ValidateName("root", parts.first));
    std::error_code error;
    const fs::path directory = fs::absolute(parts.second, error);
    if (parts.second.empty() || !fs::is_directory(directory, error)) {
      return absl::NotFoundError(
          absl::StrCat("--root ", text, ": must be NAME=DIRECTORY of an existing directory"));
    }
    roots[parts.first] = directory.string();
  }
  return roots;
}

absl::StatusOr<Roots> RootsOf(const std::string& address, const std::vector<std::string>& given) {
  TY_ASSIGN_OR_RETURN(auto roots, ParseRoots(given));
  const std::string note = NotePath(address);
  if (fs::exists(note)) {
    TY_ASSIGN_OR_RETURN(const Json noted, ReadJsonFile(note));
    for (const auto& [name, directory] : noted.items()) {
      if (directory.is_string()) roots.emplace(name, directory.get<std::string>());
    }
  }
  if (roots.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "the roots of the cluster at ", address,
        " are not known on this machine; name them where they are mounted: --root NAME=DIRECTORY"));
  }
  return Roots(std::move(roots));
}

}  // namespace trainyard::cli
