// The list of everything that is wrong with a spec, gathered in one walk. A value.

#ifndef TRAINYARD_COORDINATOR_SPEC_CHECKS_H_
#define TRAINYARD_COORDINATOR_SPEC_CHECKS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "rpc/status.h"
#include "trainyard/v1/artifact.pb.h"
#include "trainyard/v1/config.pb.h"

namespace trainyard::coordinator {

// Collects violations under a path prefix: "sft" + "optimizer.lr".
class SpecChecks {
 public:
  // `violations` outlives this.
  SpecChecks(std::string prefix, std::vector<rpc::FieldViolation>* violations)
      : prefix_(std::move(prefix)), violations_(*violations) {}

  // The same list, one field deeper.
  SpecChecks Under(absl::string_view field) const { return {Path(field), &violations_}; }
  SpecChecks Under(absl::string_view field, int index) const;

  void Violation(absl::string_view field, absl::string_view message);
  // Each names the field, the value and the limit when the value is outside; NaN always is.
  void AtLeast(absl::string_view field, double value, double least);
  void Positive(absl::string_view field, double value);
  void Within(absl::string_view field, double value, double least, double most);
  // [least, below)
  void Below(absl::string_view field, double value, double least, double below);
  void OneOf(absl::string_view field, const std::string& value,
             const std::vector<std::string>& allowed);

  // A file reference: exactly one of uri and artifact, each well formed. An absent one is a
  // violation only when `required`.
  void File(absl::string_view field, bool present, const v1::FileRef& file, bool required);
  // root://NAME/relative/path without "." and ".." segments.
  void RootUri(absl::string_view field, const std::string& uri);

 private:
  std::string Path(absl::string_view field) const;

  std::string prefix_;
  std::vector<rpc::FieldViolation>& violations_;
};

// Name of the root in "root://NAME/path"; empty when it is no such uri.
std::string RootName(absl::string_view uri);

}  // namespace trainyard::coordinator

#endif  // TRAINYARD_COORDINATOR_SPEC_CHECKS_H_
