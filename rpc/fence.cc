#include "rpc/fence.h"

#include <openssl/crypto.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace trainyard::rpc {
namespace {

bool SameSecret(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

absl::Status CheckFence(const JobFence& mine, const PresentedFence& presented) {
  if (presented.job_id.empty() || presented.secret.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat("this server works for job ", mine.job_id,
                     "; the call names no job or no secret (metadata ", kJobKey, ", ", kEpochKey,
                     ", ", kSecretKey, ")"));
  }
  if (presented.job_id != mine.job_id) {
    return absl::PermissionDeniedError(absl::StrCat("this server works for job ", mine.job_id,
                                                    ", the call is of job ", presented.job_id));
  }
  if (!SameSecret(mine.secret, presented.secret)) {
    return absl::PermissionDeniedError(
        absl::StrCat("the call presents a wrong secret for job ", mine.job_id));
  }
  uint64_t epoch = 0;
  if (!absl::SimpleAtoi(presented.epoch, &epoch)) {
    return absl::PermissionDeniedError(
        absl::StrCat("\"", presented.epoch, "\" is not an epoch of job ", mine.job_id));
  }
  if (epoch < mine.epoch) {
    return absl::AbortedError(absl::StrCat("the caller's epoch ", epoch, " of job ", mine.job_id,
                                           " is over, now it is ", mine.epoch));
  }
  if (epoch > mine.epoch) {
    return absl::UnavailableError(absl::StrCat("this server is of epoch ", mine.epoch, " of job ",
                                               mine.job_id, ", the caller's is ", epoch,
                                               ": it is about to be replaced, try again"));
  }
  return absl::OkStatus();
}

}  // namespace trainyard::rpc
